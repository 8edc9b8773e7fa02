#!/bin/bash
# Raw frames, for programs that know no Y4M: 10 bits a sample, with the size that ffprobe tells. Without the sound.
# usage: ffmpeg-raw.sh IN OUT.mkv [options of tdm-filter]
set -euo pipefail  # a pipe fails where its first command does
in=$1 out=$2
shift 2
probe() { ffprobe -v error -select_streams v:0 -show_entries "stream=$1" -of default=nw=1:nk=1 "$in"; }
size=$(probe width)x$(probe height) rate=$(probe r_frame_rate)
# -noautorotate: the frames keep the size that ffprobe tells.
ffmpeg -nostdin -v error -noautorotate -i "$in" -map 0:v:0 -pix_fmt yuv420p10le -f rawvideo - |
  ${TDM_FILTER:-tdm-filter} --input-format raw --size "$size" --pixel-format yuv420p10le --rate "$rate" "$@" |
  ffmpeg -v error -y -f rawvideo -video_size "$size" -pixel_format yuv420p10le -framerate "$rate" -i - -c:v ffv1 "$out"
