#!/bin/sh
# Paints a moving landscape with ffmpeg alone: sky, mountains, trees and a fence that pass at different speeds.
# usage: demo-scene.sh OUTPUT [FRAMES]
set -eu
output=$1 frames=${2:-24}
width=480 height=270

# A ridge: opaque under a height line, its edge one pixel soft.
ridge() { echo "a='clip(255*(Y-$height*($1)),0,255)'"; }
# A ground of a colour (red, green, blue) with speckle of a contrast and a pattern of light; blurred afterwards.
ground() {
  echo "r='clip($1+$4*(random(0)-0.5)+$5,0,255)':g='clip($2+$4*(random(0)-0.5)+$5,0,255)':\
b='clip($3+$4*(random(0)-0.5)+0.7*($5),0,255)'"
}
clouds="55*pow(0.5+0.5*sin(X/71+Y/23+1.7*sin(X/47+1)+sin(Y/19))*sin(Y/29+X/173),2)"
post="lt(mod(X,64),9)" wire="lt(mod(Y,26),3)"

ffmpeg -nostdin -v error -y -f lavfi -i "color=gray:size=960x$height:rate=25,format=gbrap" -filter_complex "
[0]trim=end_frame=1,split=4[s][a][b][c];
[s]geq=r='clip(70+90*Y/$height+$clouds,0,255)':g='clip(120+75*Y/$height+$clouds,0,255)':
b='clip(190+30*Y/$height+0.6*$clouds,0,255)':a=255,loop=-1:1:0,crop=$width:$height:x='n/2':y=0[sky];
[a]geq=$(ground 104 118 148 50 "20*sin(X/23+Y/7+2*sin(Y/17))-24*(Y/$height-0.5)"):$(
  ridge "0.46-0.11*abs(sin(X/83))-0.07*sin(X/31+1)-0.018*sin(X/7.3)"),
gblur=0.9:planes=7,loop=-1:1:0[far];
[b]geq=$(ground 84 112 62 90 "26*sin(X/37+Y/13)*sin(Y/11-X/53)-90*(Y/$height-0.7)"):$(
  ridge "0.62-0.08*abs(sin(X/57+2))-0.03*sin(X/13)-0.012*sin(X/3.1)"),
gblur=1.3:planes=7,loop=-1:1:0[trees];
[c]geq=$(ground 118 92 60 80 "-22+14*sin(X/41)+60*(Y/$height-0.85)-65*max($post,$wire)*lt(Y,$height*0.92)"):
a='255*max(clip(Y-$height*(0.86-0.03*sin(X/71)),0,1),max($post*gt(Y,$height*0.66),$wire*gt(Y,$height*0.7)))',
gblur=0.8:planes=7,loop=-1:1:0[fence];
[sky][far]overlay=x='-40-n':format=gbrp[1];
[1][trees]overlay=x='-60-3*n':format=gbrp[2];
[2][fence]overlay=x='-100-7*n':format=gbrp,trim=end_frame=$frames,format=gbrp[out]" \
  -map "[out]" -c:v ffv1 "$output"
