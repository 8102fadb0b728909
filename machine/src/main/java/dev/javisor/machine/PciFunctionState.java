package dev.javisor.machine;

/**
 * A saved {@link PciFunction}.
 *
 * @param config all 4096 bytes
 * @param interruptAsserted whether the function drives INTA#
 * @param msixTable four words per vector; empty without MSI-X
 * @param msixPending pending bits, 64 per word
 */
public record PciFunctionState(
        byte[] config, boolean interruptAsserted, int[] msixTable, long[] msixPending) {}
