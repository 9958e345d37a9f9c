#!/bin/sh
# Makes InfiniteNature-Zero's environment, code and weights in this folder, as its README says.
# Needs conda, git, curl, unzip, and the CUDA 11.3 toolkit (nvcc) below /usr/local, which compiles two extensions.
set -eu
cd "$(dirname "$0")"

conda env create -p ./env -f environment.yml

git clone --filter=blob:none --no-checkout https://github.com/google-research/google-research
git -C google-research sparse-checkout set infinite_nature_zero
git -C google-research checkout 5b09c22d73a9d35eb6c5d2a99b95677a45053466
code=google-research/infinite_nature_zero

git clone https://github.com/hperrot/splatting
git -C splatting checkout 615066f8bc3be483035e6c4886cb7c0142654c27
env/bin/pip install --no-build-isolation -e ./splatting

# Its code imports models.networks.model and models.networks.op.
git clone https://github.com/rosinality/stylegan2-pytorch
git -C stylegan2-pytorch checkout bef283a1c24087da704d16c30abc8e36e63efa0e
git -C stylegan2-pytorch apply "$PWD/$code/stylegan2_upgrade.patch"
cp stylegan2-pytorch/model.py "$code/models/networks/"
cp -r stylegan2-pytorch/op "$code/models/networks/"

curl -fLO https://storage.googleapis.com/gresearch/infinite_nature_zero/infinite_nature_zero_ckpts_data.zip
unzip -o infinite_nature_zero_ckpts_data.zip -d "$code"
ls "$code"/checkpoints/*latest.tar
