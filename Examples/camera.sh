#!/bin/bash
# A noisy camera, restored while it runs, in a window. Small pictures: see the README for what a processor keeps up with.
# usage: camera.sh [DEVICE [WIDTHxHEIGHT]] [options of tdm-filter]
set -euo pipefail  # a pipe fails where its first command does
device=/dev/video0 size=320x240
if [[ ${1:--} != -* ]]; then
  device=$1
  shift
  if [[ ${1:--} != -* ]]; then
    size=$1
    shift
  fi
fi
# Fifteen frames a second at most, and no frame twice; what the filter cannot keep up with is left out.
ffmpeg -nostdin -v error -f v4l2 -thread_queue_size 2 -video_size "$size" -i "$device" \
  -vf "select='isnan(prev_selected_t)+gte(t-prev_selected_t,0.066)',format=yuv420p" -fps_mode passthrough -f yuv4mpegpipe - |
  "${TDM_FILTER:-tdm-filter}" --preset live --when-late skip "$@" |
  ffplay -v error -f yuv4mpegpipe -fflags nobuffer -window_title tdm-filter -
