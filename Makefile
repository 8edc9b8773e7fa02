# make          the program, at .build/program/release/tdm-filter
# make demo     restore a painted clip, or CLIP=my.mp4, and look at it
# make test     every test
# make lint     the format of the sources
# make bench    times of the networks, as JSON
# make install  to PREFIX, by default /usr/local; DESTDIR is for packagers
#
# All of them install what is missing (.ci/setup), on Debian 12 with Swift 6.1 or later.

PREFIX ?= /usr/local
DESTDIR ?=
SWIFT ?= swift
# Each set of flags has a folder of its own, or every change between them would compile everything anew.
# The program needs no Swift at run time.
BUILD = $(SWIFT) build -c release --static-swift-stdlib --scratch-path .build/program
# In release: networks in -O0 are too slow to test. The tests see inside their targets.
TEST = $(SWIFT) test -c release -Xswiftc -enable-testing --scratch-path .build/tests --disable-xctest

.PHONY: build demo test lint bench install uninstall clean setup

build: setup
	$(BUILD) --product tdm-filter

setup:
	@.ci/setup

# CLIP, TASK, NOISE, FRAMES, OPTIONS and OUT as Examples/demo.sh says.
demo: build
	@CLIP="$(CLIP)" TASK="$(TASK)" NOISE="$(NOISE)" FRAMES="$(FRAMES)" OPTIONS="$(OPTIONS)" OUT="$(OUT)" \
	  TDM_FILTER="$$($(BUILD) --show-bin-path)/tdm-filter" Examples/demo.sh

test: setup
	$(TEST) $(if $(FILTER),--filter $(FILTER))

lint:
	$(SWIFT) format lint --strict --recursive Package.swift Sources Tests

bench: setup
	$(BUILD) --product tdm-bench
	"$$($(BUILD) --show-bin-path)/tdm-bench" $(BENCH) --json

install: build
	install -D -s -m 755 "$$($(BUILD) --show-bin-path)/tdm-filter" "$(DESTDIR)$(PREFIX)/bin/tdm-filter"
	for page in man/*.[157]; do \
	  install -D -m 644 "$$page" "$(DESTDIR)$(PREFIX)/share/man/man$${page##*.}/$${page##*/}"; \
	done

uninstall:
	rm -f "$(DESTDIR)$(PREFIX)/bin/tdm-filter"
	for page in man/*.[157]; do rm -f "$(DESTDIR)$(PREFIX)/share/man/man$${page##*.}/$${page##*/}"; done

clean:
	rm -rf .build demo
