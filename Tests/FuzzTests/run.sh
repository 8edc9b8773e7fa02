#!/bin/sh
# Runs every fuzz target, or those named in FUZZ, for FUZZ_SECONDS each on all processors: run.sh PROGRAM FOLDER
#
# FOLDER keeps what was found between runs; a crash leaves its input there, and ends the run with an error.
set -eu
program=$1
work=$2
corpora=$(cd "$(dirname "$0")" && pwd)/Corpus
jobs=${FUZZ_JOBS:-$(nproc)}
for target in ${FUZZ:-$(ls "$corpora")}; do
  mkdir -p "$work/$target/corpus"
  echo "fuzz: $target for ${FUZZ_SECONDS:-60} s in $jobs processes"
  # Crashes are libFuzzer's to tell: Swift's own backtraces may wait for a person. One answer may take neither long nor much
  # memory: an input stands for no more than it holds.
  SWIFT_BACKTRACE=enable=no TDM_FUZZ_TARGET=$target "$program" -fork="$jobs" \
    -max_total_time="${FUZZ_SECONDS:-60}" -timeout=10 -rss_limit_mb=2048 -max_len=16384 \
    -artifact_prefix="$work/$target/" "$work/$target/corpus" "$corpora/$target" \
    >"$work/$target/log" 2>&1 </dev/null || { tail -40 "$work/$target/log" >&2; exit 1; }
  grep '^#' "$work/$target/log" | tail -1
done
