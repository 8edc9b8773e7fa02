#!/bin/bash
# Restores a video file and keeps its sound.
# usage: ffmpeg-file.sh IN OUT [options of tdm-filter]
set -euo pipefail  # a pipe fails where its first command does
in=$1 out=$2
shift 2
# What Y4M can carry: of other pictures (RGB, palettes, packed or with alpha) ffmpeg makes the one that loses least.
planar="-vf format=yuv420p|yuv422p|yuv444p|yuv411p|gray|yuvj420p|yuvj422p|yuvj444p"
planar="$planar|yuv420p10le|yuv422p10le|yuv444p10le|gray10le"
planar="$planar|yuv420p12le|yuv422p12le|yuv444p12le|gray12le"
# -nostdin: ffmpeg would read the script's terminal. Y4M knows no timestamps: ffmpeg makes the rate constant, which keeps the
# sound in step.
ffmpeg -nostdin -v error -i "$in" -map 0:v:0 $planar -strict -1 -f yuv4mpegpipe - |
  ${TDM_FILTER:-tdm-filter} "$@" |
  ffmpeg -v error -y -f yuv4mpegpipe -i - -i "$in" -map 0:v -map '1:a?' -c:a copy -crf 16 "$out"
