package dev.javisor.virtio;

import dev.javisor.virtio.balloon.BalloonState;
import dev.javisor.virtio.block.BlockState;
import dev.javisor.virtio.console.ConsoleState;
import dev.javisor.virtio.net.NetState;
import dev.javisor.virtio.rng.RngState;

/** What a kind of device saves beside its queues. */
public sealed interface VirtioDeviceState
        permits BalloonState, BlockState, ConsoleState, NetState, RngState {}
