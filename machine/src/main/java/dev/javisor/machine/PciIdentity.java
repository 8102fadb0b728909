package dev.javisor.machine;

/**
 * The read-only head of a function.
 *
 * @param classCode 24 bits: class, subclass, programming interface
 */
public record PciIdentity(
        int vendorId,
        int deviceId,
        int classCode,
        int revision,
        int subsystemVendorId,
        int subsystemId) {}
