package dev.javisor.virtio;

/**
 * What the PCI transport saves beside the {@link VirtioState}.
 *
 * @param queueVectors MSI-X vector of each queue
 */
public record VirtioPciTransportState(int configVector, int[] queueVectors, int isr) {}
