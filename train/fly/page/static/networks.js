// The two networks in onnxruntime-web: on the graphics card by WebGPU where the browser has it, else in WASM.

const ORT = new URL("./ort/", import.meta.url).href;
const WANTED = new URLSearchParams(self.location.search).get("provider"); // webgpu or wasm, to try one

// about: gallery.json. Returns encode and refine, and on: what they run on, in words.
export async function openNetworks({ width, height }) {
  if (WANTED !== "wasm" && (await hasWebGpu())) {
    try {
      return await open(await import("./ort/ort.webgpu.min.mjs"), "webgpu", "WebGPU", width, height);
    } catch (error) {
      console.info(`WebGPU does not run the networks, WASM does: ${error.message}`);
    }
  }
  const ort = await import("./ort/ort.wasm.min.mjs");
  const threads = self.crossOriginIsolated ? Math.min(8, navigator.hardwareConcurrency || 1) : 1;
  ort.env.wasm.numThreads = threads;
  return open(ort, "wasm", threads > 1 ? `WASM, ${threads} threads` : "WASM", width, height);
}

async function hasWebGpu() {
  try {
    const adapter = await navigator.gpu?.requestAdapter();
    return Boolean(adapter) && (WANTED === "webgpu" || !(adapter.info?.isFallbackAdapter ?? adapter.isFallbackAdapter));
  } catch {
    return false;
  }
}

async function open(ort, provider, on, width, height) {
  ort.env.wasm.wasmPaths = ORT;
  const session = (file) => ort.InferenceSession.create(file, { executionProviders: [provider] });
  const encoder = await session("encoder.onnx");
  const generator = await session("generator.onnx");
  const tensor = (values, ...shape) => new ort.Tensor("float32", values, [1, ...shape]);
  const networks = {
    on,
    encode: async (rgbd) => {
      const { mean, log_variance } = await encoder.run({ rgbd: tensor(rgbd, 4, height, width) });
      return [mean.data, log_variance.data];
    },
    refine: async (rendered, mask, style) => {
      const picture = tensor(rendered, 4, height, width);
      const seen = tensor(mask, 1, height, width);
      return (await generator.run({ rendered: picture, mask: seen, style: tensor(style, style.length) })).rgbd.data;
    },
  };
  if (provider !== "wasm") await tryOut(networks, width * height);
  return networks;
}

// A driver that cannot may say so only when it runs, or return what is no picture.
async function tryOut({ encode, refine }, size) {
  const grey = new Float32Array(4 * size).fill(0.5);
  const [style] = await encode(grey);
  const picture = await refine(grey, new Float32Array(size).fill(1), style);
  if (!picture.every(Number.isFinite)) throw new Error("its numbers are not finite");
}
