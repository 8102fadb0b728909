package dev.javisor.machine;

import java.util.ArrayList;
import java.util.List;

/** A function with one BAR of each kind and MSI-X, whose registers remember writes. */
final class PciTestDevice implements PciDevice {
    final PciFunction function =
            new PciFunction(new PciIdentity(0x1234, 0x5678, 0xFF0102, 3, 4, 5));
    final List<String> moves = new ArrayList<>();
    final List<String> messages = new ArrayList<>();
    final PciMsix msix;
    long lastOffset = -1;
    long lastValue;
    int resets;

    PciTestDevice() {
        MmioDevice registers =
                new MmioDevice() {
                    @Override
                    public long readMemory(long offset, int sizeBytes) {
                        return 0xA0 + offset;
                    }

                    @Override
                    public void writeMemory(long offset, int sizeBytes, long value) {
                        lastOffset = offset;
                        lastValue = value;
                    }
                };
        PciFunction.BarListener listener = (bar, at) -> moves.add(bar + "@" + Long.toHexString(at));
        function.addBar(0, PciBarKind.MEMORY_32, 0x1000, registers, listener);
        msix = function.addMsix(1, 3, (a, d) -> messages.add(Long.toHexString(a) + "=" + d));
        function.addBar(2, PciBarKind.IO, 0x20, registers, listener);
        function.addBar(4, PciBarKind.MEMORY_64, 0x4000, registers, listener);
        function.useInterruptPin();
    }

    @Override
    public PciFunction function() {
        return function;
    }

    @Override
    public void reset() {
        resets++;
    }
}
