# make          the program, at .build/program/release/tdm-filter
# make demo     restore a painted clip, or CLIP=my.mp4, and look at it
# make test     every test of the program; Training/, which is Python, has its own:
# make test-training   installs PyTorch and all else that Training/ needs into Training/.venv, and runs its tests
# make compare  the program beside the executable specifications of both methods, in PyTorch, on random models; COMPARE="--seed 3"
# make lint     the format of the sources
# make fuzz     libFuzzer on every reader, FUZZ_SECONDS (60) each; FUZZ="y4m config" for some
# make sanitize every test under the address, undefined-behaviour and thread sanitizers; SANITIZE=address for one
# make bench    times of the networks, as JSON
# make install  to PREFIX, by default /usr/local; DESTDIR is for packagers
#
# All of them but lint and install bring in the Debian packages that they lack (.ci/setup), on Debian 12 with Swift 6.2 or later.

PREFIX ?= /usr/local
DESTDIR ?=
# Packagers, who strip by themselves, want it empty.
STRIP = -s
SWIFT ?= swift
# Packagers, who have said what building needs, set it to true.
SETUP = SWIFT="$(SWIFT)" .ci/setup
# A pipe fails where its first command does.
SHELL = /bin/bash
.SHELLFLAGS = -o pipefail -c
# Each set of flags has a folder of its own, or every change between them would compile everything anew.
# The program needs no Swift at run time.
BUILD = $(SWIFT) build -c release --static-swift-stdlib --scratch-path .build/program
PROGRAM = .build/program/release/tdm-filter
# In release: networks in -O0 are too slow to test. The tests see inside their targets.
TEST = $(SWIFT) test -c release -Xswiftc -enable-testing --scratch-path .build/tests --disable-xctest

# What tests run beside the program.
TEST_PACKAGES = ffmpeg python3-jsonschema \
  gstreamer1.0-tools gstreamer1.0-plugins-base gstreamer1.0-plugins-good gstreamer1.0-plugins-bad

.PHONY: build demo test test-training compare lint fuzz sanitize bench install uninstall clean setup setup-tests

build: setup
	$(BUILD) --product tdm-filter

setup:
	@$(SETUP)

setup-tests:
	@$(SETUP) $(TEST_PACKAGES)

# CLIP, TASK, NOISE, FRAMES, OPTIONS and OUT as Examples/demo.sh says.
demo: build
	@.ci/setup ffmpeg
	@CLIP="$(CLIP)" TASK="$(TASK)" NOISE="$(NOISE)" FRAMES="$(FRAMES)" OPTIONS="$(OPTIONS)" OUT="$(OUT)" \
	  TDM_FILTER="$(CURDIR)/$(PROGRAM)" Examples/demo.sh

test: setup-tests
	@mkdir -p .build
	$(TEST) $(if $(FILTER),--filter '$(FILTER)') 2>&1 | tee .build/test.log || \
	  { echo "make test: what failed, of .build/test.log:"; grep -A1 "^✘.*recorded an issue" .build/test.log | cut -c1-300; exit 1; }
	@echo "make test: the program's tests; those of Training/ (Python) are make test-training"

# Some of them run the program, so that it is built first; FILTER as pytest's -k.
test-training: build Training/.venv/installed
	TDM_FILTER="$(CURDIR)/$(PROGRAM)" OMP_NUM_THREADS=$${OMP_NUM_THREADS:-1} \
	  Training/.venv/bin/python -m pytest Training $(if $(FILTER),-k "$(FILTER)")

compare: build Training/.venv/installed
	for method in pipeline zero_shot; do \
	  Training/.venv/bin/python Tests/Reference/compare_$$method.py --filter $(PROGRAM) $(COMPARE) || exit 1; \
	done

PYTHON ?= python3
Training/.venv/installed: Training/pyproject.toml
	$(SETUP) ffmpeg python3-venv
	$(PYTHON) -m venv Training/.venv
	Training/.venv/bin/pip install -q -e "Training[test,compare]"
	touch $@

lint:
	$(SWIFT) format lint --strict --recursive Package.swift Sources Tests Examples/Embedding/Package.swift Examples/Embedding/Sources
	@! LC_ALL=C.UTF-8 grep -rnP '^(?=.{101}) *///? {1,3}\S' --include='*.swift' Sources Tests || \
	  { echo 'expected comments of 100 columns at most' >&2; exit 1; }

# Instrumented without libFuzzer's own main, which would be a second one.
FUZZ_FLAGS = -Xswiftc -enable-testing --scratch-path .build/fuzz --product tdm-fuzz --sanitize address \
  -Xswiftc -Xfrontend -Xswiftc -sanitize=address,fuzzer -Xlinker -u -Xlinker LLVMFuzzerRunDriver \
  -Xlinker "$$(clang -print-resource-dir)/lib/linux/libclang_rt.fuzzer_no_main-$$(uname -m).a" -Xlinker -lstdc++

fuzz: setup-tests
	TDM_FUZZ=1 $(SWIFT) build -c release $(FUZZ_FLAGS)
	FUZZ="$(FUZZ)" FUZZ_SECONDS="$(FUZZ_SECONDS)" Tests/FuzzTests/run.sh \
	  "$$(TDM_FUZZ=1 $(SWIFT) build -c release $(FUZZ_FLAGS) --show-bin-path)/tdm-fuzz" .build/fuzz/found

SANITIZE = address undefined thread

# Swift checks its own arithmetic and has no undefined-behaviour sanitizer: that one is for what is written in C.
UNDEFINED_FLAGS = -Xcc -fsanitize=undefined -Xcc -fno-sanitize-recover=undefined \
  -Xlinker $$(clang -print-resource-dir)/lib/linux/libclang_rt.ubsan_standalone-$$(uname -m).a

# libgomp's barriers are out of the thread sanitizer's sight, and to it every team of threads is a race: teams are of one. The sandbox would
# keep it from naming places, by which false reports are told; the examples' tests run the program as it is, with its sandbox.
# What stands between the program and the C library cannot stand there together with a sanitizer, and what is measured of the program's
# memory is then the sanitizer's.
sanitize: setup-tests
	for sanitizer in $(SANITIZE); do ( \
	  case $$sanitizer in undefined) flags="$(UNDEFINED_FLAGS)" ;; *) flags="--sanitize $$sanitizer" ;; esac; \
	  case $$sanitizer in thread) export OMP_THREAD_LIMIT=1 TDM_OPTIONS="--sandbox off" ;; esac; \
	  ASAN_OPTIONS=detect_leaks=0 TSAN_OPTIONS=suppressions="$(CURDIR)/Tests/thread-sanitizer.supp" \
	    $(SWIFT) test -c release -Xswiftc -enable-testing --scratch-path .build/sanitize-$$sanitizer --disable-xctest \
	    $$flags --skip FaultTests --skip SandboxTests --skip MemoryTests --skip SoakTests --skip ExampleTests $(if $(FILTER),--filter '$(FILTER)') \
	  ) || exit 1; \
	done

bench: setup
	$(BUILD) --product tdm-bench
	"$$($(BUILD) --show-bin-path)/tdm-bench" $(BENCH) --json

DOC = $(PREFIX)/share/doc/tdm-filter
# The model's card says what its weights were trained on, and by which terms.
LICENCES = LICENSE Sources/CEmbeddedModel/MODEL.md Sources/CEmbeddedModel/CLIP-LICENSE
# Those of the packages that are linked into the program.
NOTICES = $(wildcard .build/program/checkouts/*/LICENSE.txt .build/program/checkouts/*/NOTICE.txt)
SCRIPTS = $(addprefix Examples/,camera.sh ffmpeg-file.sh ffmpeg-raw.sh gstreamer.sh)

# Builds where nothing is built, so that it can be run by root, who may have no Swift.
install:
	@[ -x "$(PROGRAM)" ] || $(MAKE) build
	@[ -z "$$(find Package.swift Sources -newer "$(PROGRAM)" -print -quit)" ] || \
	  echo 'install: the program is older than its sources: make builds it anew' >&2
	install -D $(STRIP) -m 755 "$(PROGRAM)" "$(DESTDIR)$(PREFIX)/bin/tdm-filter"
	for page in man/*.[157]; do \
	  install -D -m 644 "$$page" "$(DESTDIR)$(PREFIX)/share/man/man$${page##*.}/$${page##*/}"; \
	done
	install -D -t "$(DESTDIR)$(DOC)" -m 644 $(LICENCES)
	for notice in $(NOTICES); do \
	  install -D -m 644 "$$notice" "$(DESTDIR)$(DOC)/packages/$${notice#.build/program/checkouts/}" || exit 1; \
	done
	install -D -t "$(DESTDIR)$(DOC)/examples" -m 755 $(SCRIPTS)
	install -D -t "$(DESTDIR)$(DOC)/examples" -m 644 Examples/tdm-filter-camera.service

uninstall:
	rm -f "$(DESTDIR)$(PREFIX)/bin/tdm-filter"
	for page in man/*.[157]; do rm -f "$(DESTDIR)$(PREFIX)/share/man/man$${page##*.}/$${page##*/}"; done
	rm -rf "$(DESTDIR)$(DOC)"

clean:
	rm -rf .build demo Training/.venv
