package dev.javisor.vmm;

import java.nio.charset.StandardCharsets;

/** Keeps what the guest says. */
final class RecordingConsole implements VmConsole {
    private final StringBuilder text = new StringBuilder();

    @Override
    public synchronized void serialOutput(byte[] bytes, int offset, int length) {
        text.append(new String(bytes, offset, length, StandardCharsets.ISO_8859_1));
    }

    synchronized String text() {
        return text.toString();
    }
}
