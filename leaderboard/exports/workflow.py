"""The workflow of a results repository, for GitHub Actions.

The workflow runs for pull requests of unknown people, so nothing that they send is executed, and no job that reads it
may write: the check has read rights only, and the job that comments sees a table in which all text is escaped.
Its own files and ``board/`` are those of the main branch (``pull_request_target`` checks that out).
"""

WORKFLOW = r"""name: leaderboard
on:
  pull_request_target:
    paths: ["submissions/**"]
  push:
    branches: [main]
    paths: ["submissions/**", "board/**"]
permissions: {}
jobs:
  check:
    if: github.event_name == 'pull_request_target'
    runs-on: ubuntu-latest
    timeout-minutes: 20
    permissions:
      contents: read
      pull-requests: read
    steps:
      - uses: actions/checkout@v4  # the main branch, not the pull request
        with:
          persist-credentials: false
      - uses: actions/setup-python@v5
        with:
          python-version: "3.12"
      - run: pip install 'flythrough==@VERSION@'
      - name: Take the submissions, as data
        env:
          GH_TOKEN: ${{ github.token }}
          NUMBER: ${{ github.event.number }}
        run: |
          mkdir handed_in
          gh api "repos/$GITHUB_REPOSITORY/pulls/$NUMBER/files" --paginate \
            --jq '.[] | .status + " " + .filename' > files.txt
          if grep -vxE '(added|modified|removed) submissions/[a-z0-9][a-z0-9._-]{0,79}\.zip' files.txt; then
            echo 'A pull request that hands in changes only submissions/NAME.zip.' | tee comment.md
            exit 1
          fi
          if [ "$(wc -l < files.txt)" -gt 10 ]; then
            echo 'At most 10 submissions in one pull request.' | tee comment.md
            exit 1
          fi
          git fetch --quiet --no-tags --depth=1 origin "refs/pull/$NUMBER/head"
          sed -nE 's/^(added|modified) //p' files.txt | while read -r file; do
            git cat-file blob "FETCH_HEAD:$file" > "handed_in/$(basename "$file")"
          done
      - name: Check them
        run: |
          shopt -s nullglob
          files=(handed_in/*.zip)
          if [ ${#files[@]} -eq 0 ]; then echo 'Nothing is handed in.' > comment.md; exit 0; fi
          flythrough leaderboard check --markdown --workspace board "${files[@]}" > comment.md || failed=1
          cat comment.md >> "$GITHUB_STEP_SUMMARY"
          exit "${failed:-0}"
      - if: always()
        uses: actions/upload-artifact@v4
        with:
          name: comment
          path: comment.md
  comment:
    if: always() && github.event_name == 'pull_request_target'
    needs: check
    runs-on: ubuntu-latest
    timeout-minutes: 5
    permissions:
      pull-requests: write
    steps:
      - uses: actions/download-artifact@v4
        with:
          name: comment
      - env:
          GH_TOKEN: ${{ github.token }}
          NUMBER: ${{ github.event.number }}
        run: |
          head -c 60000 comment.md > body.md  # a comment holds 65,536 characters
          gh pr comment "$NUMBER" -R "$GITHUB_REPOSITORY" --edit-last --body-file body.md ||
            gh pr comment "$NUMBER" -R "$GITHUB_REPOSITORY" --body-file body.md
  page:
    if: github.event_name == 'push'
    runs-on: ubuntu-latest
    timeout-minutes: 30
    concurrency: leaderboard-page
    permissions:
      contents: write  # the store: board/leaderboard/submissions
      pages: write
      id-token: write
    environment: github-pages
    steps:
      - uses: actions/checkout@v4
        with:
          ref: main
          fetch-depth: 0
      - uses: actions/setup-python@v5
        with:
          python-version: "3.12"
      - run: pip install 'flythrough==@VERSION@'
      - name: List what was merged
        env:
          BEFORE: ${{ github.event.before }}
        run: |
          git cat-file -e "$BEFORE^{commit}" 2> /dev/null || BEFORE=$(git hash-object -t tree /dev/null)
          git diff --name-only --no-renames --diff-filter=AM "$BEFORE" HEAD -- 'submissions/*.zip' > merged.txt
          while read -r file; do
            flythrough leaderboard add "$file" --workspace board --replace || echo "$file" >> refused.txt
          done < merged.txt
          flythrough leaderboard --workspace board
          flythrough leaderboard publish --workspace board --to site --yes
      - name: Keep the store
        run: |
          git config user.name 'leaderboard'
          git config user.email 'leaderboard@users.noreply.github.com'
          git add board/leaderboard
          git diff --cached --quiet ||
            { git commit --quiet -m 'List what was handed in' && git push origin HEAD:main; }
      - uses: actions/upload-pages-artifact@v3
        with:
          path: site
      - uses: actions/deploy-pages@v4
      - name: Say what was refused
        run: if [ -f refused.txt ]; then cat refused.txt; exit 1; fi
"""
