#!/usr/bin/env python3
"""Tests the launcher from outside, on a pseudo-terminal: prints "ok NAME" or "failed NAME: why"."""

import fcntl
import os
import pathlib
import select
import signal
import struct
import subprocess
import sys
import termios
import time

ROOT = pathlib.Path(__file__).resolve().parent.parent
JAVISOR = str(ROOT / "javisor")
PROMPT = b"/root # "
BOOT_SECONDS = 120


class Terminal:
    """The launcher as a session of its own on a new pseudo-terminal."""

    def __init__(self, *arguments, rows=30, columns=100):
        self.master, self.slave = os.openpty()
        size = struct.pack("HHHH", rows, columns, 0, 0)
        fcntl.ioctl(self.slave, termios.TIOCSWINSZ, size)
        self.before = termios.tcgetattr(self.slave)
        self.output = b""
        self.process = subprocess.Popen(
            [JAVISOR, *arguments],
            stdin=self.slave,
            stdout=self.slave,
            stderr=self.slave,
            preexec_fn=self.own_terminal,
        )

    @staticmethod
    def own_terminal():
        os.setsid()
        fcntl.ioctl(0, termios.TIOCSCTTY, 0)

    def read(self, seconds, until=None):
        """Reads for this long, or until this is there; returns whether it was."""
        start = len(self.output)
        deadline = time.monotonic() + seconds
        while time.monotonic() < deadline:
            if until is not None and until in self.output[start:]:
                return True
            if select.select([self.master], [], [], 0.05)[0]:
                try:
                    self.output += os.read(self.master, 65536)
                except OSError:
                    break
        return until is not None and until in self.output[start:]

    def expect(self, text, seconds=20):
        if not self.read(seconds, text):
            raise AssertionError(f"no {text!r} in {self.output[-300:]!r}")

    def type(self, text):
        os.write(self.master, text)

    def status(self, seconds=20):
        deadline = time.monotonic() + seconds
        while self.process.poll() is None and time.monotonic() < deadline:
            self.read(0.1)
        if self.process.poll() is None:
            raise AssertionError(f"does not end: {self.output[-300:]!r}")
        self.read(0.3)
        return self.process.returncode

    def restored(self):
        # The rest is speed and the characters of a terminal; raw mode is in the flags.
        return termios.tcgetattr(self.slave)[:4] == self.before[:4]

    def raw(self):
        return not termios.tcgetattr(self.slave)[3] & termios.ICANON

    def close(self):
        if self.process.poll() is None:
            self.process.terminate()
            self.process.wait(20)
        os.close(self.master)
        os.close(self.slave)


def check(condition, why):
    if not condition:
        raise AssertionError(why)


def run(*arguments, **options):
    return subprocess.run(
        [JAVISOR, *arguments], capture_output=True, text=True, timeout=300, **options
    )


def test_tree_that_is_up_to_date_starts_without_building():
    run("version")
    result = run("version")
    check(result.returncode == 0 and result.stderr == "", result.stderr)


def test_wrong_use_is_one_line_and_64():
    result = run("run", "--memry", "1G")
    check(result.returncode == 64, f"status {result.returncode}")
    check(result.stderr.count("\n") == 1 and "--memory" in result.stderr, result.stderr)


def test_symbolic_link_to_the_launcher_works():
    link = ROOT / "target" / "javisor-link"
    link.unlink(missing_ok=True)
    link.symlink_to("../javisor")
    result = subprocess.run([link, "version"], capture_output=True, text=True, timeout=60)
    check(result.returncode == 0, result.stderr)


def test_build_lock_of_a_dead_process_is_taken_over():
    dead = subprocess.Popen(["true"])
    dead.wait()
    lock = ROOT / "target" / "build.lock"
    lock.mkdir()
    (lock / "pid").write_text(f"{dead.pid}\n")
    (ROOT / "cli" / "src" / "main" / "java" / "module-info.java").touch()
    result = run("version")
    check(result.returncode == 0, result.stderr)
    check("building command line" in result.stderr, result.stderr)
    check(not lock.exists(), "the lock is still there")


def test_missing_jdk_says_what_is_there_and_what_to_do():
    script = f". {ROOT}/tools/jdk.sh; java_major() {{ echo 17; }}; find_java || no_java"
    result = subprocess.run(["bash", "-c", script], capture_output=True, text=True, timeout=60)
    check("no JDK 25 or newer found (too old: " in result.stdout, result.stdout)
    check("JAVA_HOME" in result.stdout and result.stdout.count("\n") == 1, result.stdout)


def test_guest_command_gives_output_and_status():
    result = run("run", "--", "sh", "-c", "cat; exit 7", input="some input\n")
    check(result.returncode == 7, f"status {result.returncode}: {result.stderr}")
    check(result.stdout == "some input\n", result.stdout)


def interactive(act):
    terminal = Terminal("run", "--timeout", "5m")
    try:
        terminal.expect(PROMPT, BOOT_SECONDS)
        check(terminal.raw(), "not in raw mode")
        status = act(terminal)
        check(terminal.restored(), "the terminal is not restored")
        return status
    finally:
        terminal.close()


def test_shell_has_the_size_of_the_terminal_and_follows_it():
    def act(terminal):
        terminal.type(b"stty size\r")
        terminal.expect(b"30 100\r\n")
        size = struct.pack("HHHH", 40, 120, 0, 0)
        fcntl.ioctl(terminal.slave, termios.TIOCSWINSZ, size)
        terminal.read(2)
        terminal.type(b"stty size\r")
        terminal.expect(b"40 120\r\n")
        terminal.type(b"exit\r")
        return terminal.status()

    check(interactive(act) == 0, "status")


def test_menu_quits():
    def act(terminal):
        terminal.type(b"\x1d")
        terminal.expect(b"q quit")
        terminal.type(b"s")
        terminal.expect(b"is running")
        terminal.type(b"\x1dq")
        return terminal.status()

    check(interactive(act) == 0, "status")


def test_power_button_powers_off():
    def act(terminal):
        terminal.read(1)
        terminal.type(b"\x1dp")
        return terminal.status(60)

    check(interactive(act) == 0, "status")


def test_menu_resets_the_machine():
    def act(terminal):
        terminal.type(b"echo before > /tmp/mark; cat /tmp/mark\r")
        terminal.expect(b"before\r\n")
        terminal.read(1)
        terminal.type(b"\x1dr")
        terminal.expect(PROMPT, BOOT_SECONDS)
        terminal.type(b"cat /tmp/mark\r")
        terminal.expect(b"No such file")
        terminal.type(b"\x1dq")
        return terminal.status()

    check(interactive(act) == 0, "status")


def test_reboot_in_the_guest_boots_again():
    def act(terminal):
        terminal.type(b"echo before > /tmp/mark; cat /tmp/mark\r")
        terminal.expect(b"before\r\n")
        terminal.type(b"reboot -f\r")
        terminal.expect(b"Linux version", BOOT_SECONDS)
        terminal.expect(PROMPT, BOOT_SECONDS)
        check(terminal.raw(), "not in raw mode after the reboot")
        terminal.type(b"cat /tmp/mark\r")
        terminal.expect(b"No such file")
        terminal.type(b"poweroff -f\r")
        return terminal.status(60)

    check(interactive(act) == 0, "status")


def test_terminated_launcher_restores_the_terminal():
    def act(terminal):
        terminal.process.terminate()
        return terminal.status()

    check(interactive(act) == 143, "status")


def test_hung_up_launcher_restores_the_terminal():
    def act(terminal):
        terminal.process.send_signal(signal.SIGHUP)
        return terminal.status()

    check(interactive(act) == 129, "status")


def test_killed_java_leaves_a_restored_terminal():
    def act(terminal):
        listing = subprocess.run(
            ["ps", "-o", "pid=", "--ppid", str(terminal.process.pid)],
            capture_output=True,
            text=True,
            check=True,
        )
        for pid in listing.stdout.split():
            os.kill(int(pid), signal.SIGKILL)
        return terminal.status()

    check(interactive(act) == 137, "status")


def test_interrupt_ends_a_command_with_130():
    terminal = Terminal("run", "--timeout", "5m", "--", "sh", "-c", "echo run''ning; sleep 1000")
    try:
        terminal.expect(b"running\r\n", BOOT_SECONDS)
        terminal.type(b"\x03")
        check(terminal.status() == 130, f"status {terminal.process.returncode}")
        check(terminal.restored(), "the terminal is not restored")
    finally:
        terminal.close()


def main():
    wanted = sys.argv[1:]
    failed = False
    for name, test in list(globals().items()):
        if not name.startswith("test_") or (wanted and name[5:] not in wanted):
            continue
        try:
            test()
            print(f"ok {name[5:]}", flush=True)
        except (AssertionError, subprocess.SubprocessError, OSError) as e:
            failed = True
            print(f"failed {name[5:]}: {' '.join(str(e).split())[:500]}", flush=True)
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
