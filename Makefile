# make          the program, at .build/release/tdm-filter
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
# The installed program needs no Swift at run time.
BUILD = $(SWIFT) build -c release --static-swift-stdlib

.PHONY: build demo test lint bench install uninstall clean setup

build: setup
	$(BUILD) --product tdm-filter

setup:
	@.ci/setup

# CLIP, TASK, NOISE, FRAMES, OPTIONS and OUT as Examples/demo.sh says.
demo: build
	@CLIP="$(CLIP)" TASK="$(TASK)" NOISE="$(NOISE)" FRAMES="$(FRAMES)" OPTIONS="$(OPTIONS)" OUT="$(OUT)" \
	  TDM_FILTER="$$($(BUILD) --show-bin-path)/tdm-filter" Examples/demo.sh

# In release: networks in -O0 are too slow to test. The tests see inside their targets.
test: setup
	$(SWIFT) test -c release -Xswiftc -enable-testing $(if $(FILTER),--filter $(FILTER))

lint:
	$(SWIFT) format lint --strict --recursive Package.swift Sources Tests

bench: setup
	$(BUILD) --product tdm-bench
	"$$($(BUILD) --show-bin-path)/tdm-bench" $(BENCH) --json

install: build
	install -D -m 755 "$$($(BUILD) --show-bin-path)/tdm-filter" "$(DESTDIR)$(PREFIX)/bin/tdm-filter"
	for page in man/*.[157]; do \
	  install -D -m 644 "$$page" "$(DESTDIR)$(PREFIX)/share/man/man$${page##*.}/$${page##*/}"; \
	done

uninstall:
	rm -f "$(DESTDIR)$(PREFIX)/bin/tdm-filter"
	for page in man/*.[157]; do rm -f "$(DESTDIR)$(PREFIX)/share/man/man$${page##*.}/$${page##*/}"; done

clean:
	$(SWIFT) package clean
	rm -rf demo
