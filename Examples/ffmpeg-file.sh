#!/bin/bash
# Restores a video file and keeps its sound.
# usage: ffmpeg-file.sh IN OUT [options of tdm-filter]
set -euo pipefail  # a pipe fails where its first command does
in=$1 out=$2
shift 2
# What Y4M can carry: of other pictures (RGB, palettes, packed or with alpha) ffmpeg makes the one that loses least.
planar=yuv420p
for format in yuv422p yuv444p yuv411p gray {yuv420p,yuv422p,yuv444p,gray}{10,12}le; do planar+="|$format"; done
# -nostdin: ffmpeg would read the script's terminal. Y4M knows no timestamps: ffmpeg makes the rate constant, which keeps the
# sound in step.
ffmpeg -nostdin -v error -i "$in" -map 0:v:0 -vf "format=$planar" -strict -1 -f yuv4mpegpipe - |
  ${TDM_FILTER:-tdm-filter} "$@" |
  ffmpeg -v error -y -f yuv4mpegpipe -i - -i "$in" -map 0:v -map '1:a?' -c:a copy -crf 16 "$out"
