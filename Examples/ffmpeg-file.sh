#!/bin/bash
# Restores a video file and keeps its sound.
# usage: ffmpeg-file.sh IN OUT [options of tdm-filter]
set -euo pipefail  # a pipe fails where its first command does
in=$1 out=$2
shift 2
# -nostdin: ffmpeg would read the script's terminal. Y4M knows no timestamps: ffmpeg makes the rate constant, which keeps the
# sound in step.
ffmpeg -nostdin -v error -i "$in" -map 0:v:0 -strict -1 -f yuv4mpegpipe - |
  ${TDM_FILTER:-tdm-filter} "$@" |
  ffmpeg -v error -y -f yuv4mpegpipe -i - -i "$in" -map 0:v -map '1:a?' -c:a copy "$out"
