#!/bin/bash
# Raw frames, for programs that know no Y4M: 10 bits a sample, with the size and the rate that ffmpeg tells. Without the sound.
# usage: ffmpeg-raw.sh IN OUT.mkv [options of tdm-filter]
set -euo pipefail  # a pipe fails where its first command does
usage="usage: ffmpeg-raw.sh IN OUT.mkv [options of tdm-filter]"
in=${1:?$usage} out=${2:?$usage}
shift 2
if [ "$in" -ef "$out" ]; then
  echo "ffmpeg-raw.sh: $out: is IN itself, which would be lost; give another name" >&2
  exit 64
fi
# As its frames will be, turned upright: YUV4MPEG2 W640 H360 F25:1 ...
header=$(ffmpeg -nostdin -v error -i "$in" -map 0:v:0 -frames:v 1 -pix_fmt yuv420p -f yuv4mpegpipe - | LC_ALL=C sed -n 1p) || true
if [ -z "$header" ]; then
  echo "ffmpeg-raw.sh: $in: no pictures in it that ffmpeg can decode; expected a file with video" >&2
  exit 65
fi
read -r _ width height rate _ <<<"$header"
width=${width#W} height=${height#H} rate=${rate#F} rate=${rate/:/\/}
factor=1 last=
for word in "$@"; do
  case $last:$word in --task:superres | --task:sr | *:--task=superres | *:--task=sr) factor=4 ;; esac
  last=$word
done
ffmpeg -nostdin -v error -i "$in" -map 0:v:0 -pix_fmt yuv420p10le -f rawvideo - |
  "${TDM_FILTER:-tdm-filter}" --input-format raw --size "${width}x$height" --pixel-format yuv420p10le --rate "$rate" "$@" |
  ffmpeg -v error -xerror -y -f rawvideo -video_size "$((width * factor))x$((height * factor))" -pixel_format yuv420p10le \
    -framerate "$rate" -i - -c:v ffv1 "$out"
