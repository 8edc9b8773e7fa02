#!/bin/bash
# Between two GStreamer pipelines, as Y4M: fdsink and fdsrc join them to the filter.
# needs: gstreamer1.0-tools, gstreamer1.0-plugins-base, -good, -bad (y4mdec), gstreamer1.0-libav
# Converted there and back, the pictures are copied: y4menc would write a decoder's padding into the stream.
# Its own rows are padded, too, where the width is no multiple of 8: have ffmpeg read such a file.
# usage: gstreamer.sh IN OUT.mkv [options of tdm-filter]
set -euo pipefail  # a pipe fails where its first command does
usage="usage: gstreamer.sh IN OUT.mkv [options of tdm-filter]"
in=${1:?$usage} out=${2:?$usage}
shift 2
if [ "$in" -ef "$out" ]; then
  echo "gstreamer.sh: $out: is IN itself, which would be lost; give another name" >&2
  exit 64
fi
gst-launch-1.0 -q filesrc "location=$in" ! decodebin ! videoconvert ! video/x-raw,format=YV12 ! \
  videoconvert ! video/x-raw,format=I420 ! y4menc ! fdsink fd=1 |
  "${TDM_FILTER:-tdm-filter}" "$@" |
  gst-launch-1.0 -q fdsrc fd=0 ! y4mdec ! videoconvert ! jpegenc quality=95 ! matroskamux ! filesink "location=$out"
