package dev.javisor.devices;

import java.util.List;

/**
 * A 16550A, saved.
 *
 * @param lineErrors LSR bits 1 to 4 not read yet
 * @param receiveFifo received characters, oldest first: bits 0 to 7 the character, bits 8 to 15 its
 *     LSR error bits
 * @param transmitEmptyPending THRE interrupt not acknowledged yet
 * @param timeoutPending character timeout reached
 */
public record UartState(
        int ier,
        int fcr,
        int lcr,
        int mcr,
        int msr,
        int scratch,
        int divisor,
        int lineErrors,
        List<Integer> receiveFifo,
        boolean transmitEmptyPending,
        boolean timeoutPending) {
    public UartState {
        StateCheck.range("ier", ier, 0, 0x0F);
        StateCheck.byteValue("fcr", fcr);
        StateCheck.byteValue("lcr", lcr);
        StateCheck.range("mcr", mcr, 0, 0x1F);
        StateCheck.byteValue("msr", msr);
        StateCheck.byteValue("scratch", scratch);
        StateCheck.range("divisor", divisor, 0, 0xFFFF);
        StateCheck.byteValue("lineErrors", lineErrors);
        StateCheck.range("receiveFifo", receiveFifo.size(), 0, (fcr & 1) != 0 ? 16 : 1);
        receiveFifo = List.copyOf(receiveFifo);
        for (int entry : receiveFifo) {
            StateCheck.range("receiveFifo entry", entry, 0, 0x1EFF);
        }
    }
}
