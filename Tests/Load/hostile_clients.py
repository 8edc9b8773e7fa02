#!/usr/bin/env python3
"""Measures what hostile clients of --control cost a running stream.

Frames of one size go through the program without a client, and with one that floods, one that stalls and one that sends
garbage, in turns, so that what else the machine does meets all of them alike. Prints the medians. What this program does not
know goes to tdm-filter.

    python3 Tests/Load/hostile_clients.py .build/program/release/tdm-filter --rounds 7 --preset live
"""
import argparse
import os
import socket
import statistics
import subprocess
import tempfile
import threading
import time


def connect(path):
    client = socket.socket(socket.AF_UNIX)
    client.settimeout(0.2)
    while True:
        try:
            client.connect(path)
            return client
        except OSError:
            time.sleep(0.01)


def attack(path, over, line, reads):
    """Sends as fast as it is taken, until the stream is over."""
    client = connect(path)
    while not over.is_set():
        try:
            client.sendall(line)
            if reads:
                client.recv(1 << 16)
        except TimeoutError:
            continue
        except OSError:
            if over.is_set():
                return
            client.close()
            client = connect(path)


ATTACKS = {
    "alone": None,
    "idle socket": (),
    "flood": (b'{"command":"get"}\n' * 50, True),
    "stall": (b'{"command":"observe"}\n' + b'{"command":"stats"}\n' * 50, False),
    "garbage": (os.urandom(4096).replace(b"\n", b"x") + b"\n", False),
}


def run(program, options, stream, kind):
    path = os.path.join(tempfile.gettempdir(), f"tdm-{os.getpid()}.sock")
    command = [program, "--log-level", "error", *options]
    if ATTACKS[kind] is not None:
        command += ["--control", path]
    over = threading.Event()
    begin = time.monotonic()
    process = subprocess.Popen(command, stdin=open(stream, "rb"), stdout=subprocess.DEVNULL)
    if ATTACKS[kind]:
        threading.Thread(target=attack, args=(path, over, *ATTACKS[kind]), daemon=True).start()
    _, status, usage = os.wait4(process.pid, 0)
    over.set()
    assert os.waitstatus_to_exitcode(status) == 0, status
    return time.monotonic() - begin, usage.ru_utime + usage.ru_stime


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("program")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--frames", type=int, default=48)
    parser.add_argument("--size", default="320x192")
    arguments, options = parser.parse_known_args()
    with tempfile.NamedTemporaryFile(suffix=".y4m") as file:
        subprocess.run(
            ["ffmpeg", "-nostdin", "-v", "error", "-y", "-f", "lavfi", "-i",
             f"testsrc2=size={arguments.size}:rate=25", "-frames:v", str(arguments.frames),
             "-pix_fmt", "yuv420p", file.name], check=True)
        results = {kind: [] for kind in ATTACKS}
        for _ in range(arguments.rounds):
            for kind in ATTACKS:
                results[kind].append(run(arguments.program, options, file.name, kind))
    base = [statistics.median(column) for column in zip(*results["alone"])]
    print(f"{arguments.frames} frames of {arguments.size}, median of {arguments.rounds}")
    for kind, runs in results.items():
        wall, cpu = (statistics.median(column) for column in zip(*runs))
        print(f"{kind:12} {arguments.frames / wall:6.2f} fps ({100 * (base[0] / wall - 1):+.1f}%), "
              f"processor {cpu:6.2f} s ({100 * (cpu / base[1] - 1):+.1f}%)")


if __name__ == "__main__":
    main()
