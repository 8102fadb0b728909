package dev.javisor.devices;

import static org.assertj.core.api.Assertions.assertThat;

import dev.javisor.fixtures.RecordingInterruptLine;
import dev.javisor.fixtures.RecordingMachineEvents;
import dev.javisor.fixtures.VirtualTimeSource;
import dev.javisor.machine.InterruptLine;
import dev.javisor.machine.MmioDevice;
import dev.javisor.machine.PortDevice;
import java.util.Collections;
import java.util.Random;
import java.util.function.Supplier;
import org.junit.jupiter.api.Test;

/** Guests that write anything anywhere: no device throws, and its state can always be restored. */
class HostileGuestTest {
    private static final int ROUNDS = 50_000;

    private final long seed = Long.getLong("javisor.seed", 0x5EED_1234L);
    private final Random random = new Random(seed);
    private final VirtualTimeSource time = new VirtualTimeSource();
    private final RecordingInterruptLine line = new RecordingInterruptLine();
    private final RecordingMachineEvents events = new RecordingMachineEvents();

    /** Mostly short steps, sometimes hours. */
    private void pass() {
        int bits = random.nextInt(100) == 0 ? 43 : 14;
        long nanos = random.nextLong() & (1L << bits) - 1;
        // Periodic timers run in full: keep the longest leaps to when none is armed.
        time.advance(time.armedTimers() == 0 ? nanos : nanos & (1 << 20) - 1);
    }

    private int value() {
        return switch (random.nextInt(4)) {
            case 0 -> random.nextInt(16);
            case 1 -> 0xFF;
            default -> random.nextInt();
        };
    }

    private <S> void drive(PortDevice device, int[] ports, Supplier<S> state, Restore<S> restore) {
        for (int i = 0; i < ROUNDS; i++) {
            int port = ports[random.nextInt(ports.length)];
            int size = 1 << random.nextInt(3);
            if (random.nextBoolean()) {
                device.writePort(port, size, value());
            } else {
                int read = device.readPort(port, size);
                assertThat(size == 4 ? 0 : read >>> 8 * size).as("seed %d", seed).isZero();
            }
            if (random.nextInt(8) == 0) {
                pass();
            }
            if (random.nextInt(1000) == 0) {
                S saved = state.get();
                restore.accept(saved);
                assertThat(state.get()).as("seed %d", seed).isEqualTo(saved);
            }
        }
    }

    private <S> void drive(MmioDevice device, int bytes, Supplier<S> state, Restore<S> restore) {
        for (int i = 0; i < ROUNDS; i++) {
            int size = 1 << random.nextInt(4);
            long offset = random.nextInt(bytes / size) * (long) size;
            if (random.nextBoolean()) {
                long any = (long) value() << 32 * random.nextInt(2);
                device.writeMemory(offset, size, any);
            } else {
                long read = device.readMemory(offset, size);
                assertThat(size == 8 ? 0 : read >>> 8 * size).as("seed %d", seed).isZero();
            }
            if (random.nextInt(8) == 0) {
                pass();
            }
            if (random.nextInt(1000) == 0) {
                S saved = state.get();
                restore.accept(saved);
                assertThat(state.get()).as("seed %d", seed).isEqualTo(saved);
            }
        }
    }

    private interface Restore<S> {
        void accept(S state);
    }

    @Test
    void pit_anything_survives() {
        Pit8254 pit = new Pit8254(time, line);
        drive(pit, new int[] {0x40, 0x41, 0x42, 0x43, 0x43, 0x61}, pit::state, pit::restore);
    }

    @Test
    void pic_anything_survives() {
        Pic8259Pair pic = new Pic8259Pair(line);
        int[] ports = {0x20, 0x21, 0xA0, 0xA1, 0x4D0, 0x4D1};
        for (int i = 0; i < 20; i++) {
            for (int irq = 0; irq < 16; irq++) {
                pic.input(irq).set(random.nextBoolean());
            }
            assertThat(pic.acknowledge()).isBetween(-1, 255);
            drive(pic, ports, pic::state, pic::restore);
        }
    }

    @Test
    void uart_anything_survives() {
        Uart16550A uart = new Uart16550A(0x3F8, time, line, value -> {});
        int[] ports = {0x3F8, 0x3F9, 0x3FA, 0x3FB, 0x3FC, 0x3FD, 0x3FE, 0x3FF};
        for (int i = 0; i < 5; i++) {
            uart.offer(new byte[64], 0, 64);
            uart.offerBreak();
            drive(uart, ports, uart::state, uart::restore);
        }
    }

    @Test
    void rtc_anything_survives() {
        Rtc rtc = new Rtc(time, line, 1L << 40);
        drive(rtc, new int[] {0x70, 0x71, 0x71}, rtc::state, rtc::restore);
    }

    @Test
    void acpiPm_anything_survives() {
        AcpiPm pm = new AcpiPm(time, line, events);
        int[] ports = new int[24];
        for (int i = 0; i < 24; i++) {
            ports[i] = i < 16 ? 0x600 + i : 0x620 + i - 16;
        }
        drive(pm, ports, pm::state, pm::restore);
    }

    @Test
    void i8042_anything_survives() {
        I8042 controller = new I8042(line, events);
        drive(controller, new int[] {0x60, 0x64}, controller::state, controller::restore);
    }

    @Test
    void hpet_anything_survives() {
        Hpet hpet =
                new Hpet(
                        time,
                        Collections.nCopies(24, (InterruptLine) line),
                        0x00F0_0000,
                        line,
                        line,
                        (address, data) -> {},
                        enabled -> {});
        drive(hpet, 0x400, hpet::state, hpet::restore);
    }

    @Test
    void ioApic_anything_survives() {
        IoApic ioApic = new IoApic((address, data) -> {}, (gsi, message) -> {});
        for (int pin = 0; pin < IoApic.PINS; pin++) {
            ioApic.pin(pin).set(random.nextBoolean());
        }
        drive(ioApic, 0x80, ioApic::state, ioApic::restore);
    }
}
