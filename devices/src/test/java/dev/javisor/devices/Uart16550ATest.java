package dev.javisor.devices;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import dev.javisor.fixtures.RecordingInterruptLine;
import dev.javisor.fixtures.VirtualTimeSource;
import java.nio.charset.StandardCharsets;
import java.util.List;
import org.junit.jupiter.api.Test;

class Uart16550ATest {
    private static final int BASE = 0x3F8;
    private static final int DATA = 0;
    private static final int IER = 1;
    private static final int IIR = 2;
    private static final int FCR = 2;
    private static final int LCR = 3;
    private static final int MCR = 4;
    private static final int LSR = 5;
    private static final int MSR = 6;
    private static final int SCRATCH = 7;

    private final VirtualTimeSource time = new VirtualTimeSource();
    private final RecordingInterruptLine line = new RecordingInterruptLine();
    private final StringBuilder sent = new StringBuilder();
    private final Uart16550A uart =
            new Uart16550A(BASE, time, line, value -> sent.append((char) value));

    private int in(int register) {
        return uart.readPort(BASE + register, 1);
    }

    private void out(int register, int value) {
        uart.writePort(BASE + register, 1, value);
    }

    private int offer(String text) {
        byte[] bytes = text.getBytes(StandardCharsets.ISO_8859_1);
        return uart.offer(bytes, 0, bytes.length);
    }

    private void open(int ier, int fcr) {
        out(LCR, 0x83);
        out(DATA, 1);
        out(IER, 0);
        out(LCR, 0x03);
        out(FCR, fcr);
        out(MCR, 0x0B);
        out(IER, ier);
    }

    /** The steps of autoconfig() and autoconfig_16550a() in Linux's 8250_port.c. */
    @Test
    void linuxProbe_findsA16550A() {
        out(IER, 0);
        assertThat(in(IER) & 0x0F).isZero();
        out(IER, 0x0F);
        assertThat(in(IER) & 0x0F).isEqualTo(0x0F);
        out(IER, 0);
        out(MCR, 0x10 | 0x0A);
        assertThat(in(MSR) & 0xF0).isEqualTo(0x90);
        out(MCR, 0);
        // No EFR: register 2 stays IIR in both "configuration modes".
        out(LCR, 0xBF);
        out(2, 0);
        out(LCR, 0);
        out(FCR, 0x01);
        assertThat(in(IIR) >> 6).isEqualTo(3);
        out(LCR, 0x80);
        assertThat(in(2)).isNotZero();
        out(LCR, 0xBF);
        assertThat(in(2)).isNotZero();
        out(LCR, 0);
        // Not a 16750: the 64-byte bit of FCR does not show in IIR.
        out(FCR, 0x01);
        int status1 = in(IIR) >> 5;
        out(FCR, 0x21);
        int status2 = in(IIR) >> 5;
        assertThat(status1).isEqualTo(6);
        assertThat(status2).isEqualTo(6);
        // No XScale UUE bit in IER.
        out(IER, 0x40);
        assertThat(in(IER)).isZero();
    }

    /** serial8250_THRE_test(): the interrupt must come back when enabled again. */
    @Test
    void linuxThreTest_reenabled_interruptsAgain() {
        open(0, 0x01);
        out(IER, 0x02);
        assertThat(in(IIR) & 0x0F).isEqualTo(0x02);
        out(IER, 0);
        out(IER, 0x02);
        assertThat(in(IIR) & 0x0F).isEqualTo(0x02);
        assertThat(in(IIR) & 0x0F).isEqualTo(0x01);
        out(IER, 0);
    }

    @Test
    void transmit_character_reachesTheSinkAndInterruptsByANewEdge() {
        open(0x02, 0x01);
        assertThat(in(IIR) & 0x0F).isEqualTo(0x02);
        assertThat(line.level()).isFalse();
        line.takeRisingEdges();
        out(DATA, 'a');
        assertThat(sent.toString()).isEqualTo("a");
        assertThat(line.level()).isTrue();
        out(DATA, 'b');
        assertThat(line.risingEdges()).isEqualTo(1);
        assertThat(in(IIR) & 0x0F).isEqualTo(0x02);
        out(DATA, 'c');
        assertThat(sent.toString()).isEqualTo("abc");
        assertThat(line.risingEdges()).isEqualTo(2);
        assertThat(in(LSR)).isEqualTo(0x60);
    }

    @Test
    void receive_triggerLevel_interruptsAtItAndClearsBelow() {
        open(0x01, 0x81);
        offer("1234567");
        assertThat(line.level()).isFalse();
        offer("8");
        assertThat(in(IIR)).isEqualTo(0xC4);
        assertThat(in(DATA)).isEqualTo('1');
        assertThat(line.level()).isFalse();
        assertThat(in(LSR) & 1).isEqualTo(1);
    }

    @Test
    void receive_belowTrigger_timesOutAfterFourCharacters() {
        open(0x01, 0x81);
        offer("x");
        time.advance(340_000);
        assertThat(line.level()).isFalse();
        time.advance(10_000);
        assertThat(line.level()).isTrue();
        assertThat(in(IIR)).isEqualTo(0xCC);
        assertThat(in(DATA)).isEqualTo('x');
        assertThat(in(IIR)).isEqualTo(0xC1);
        assertThat(line.level()).isFalse();
    }

    @Test
    void receive_activity_restartsTheTimeout() {
        open(0x01, 0xC1);
        offer("x");
        time.advance(300_000);
        offer("y");
        time.advance(300_000);
        assertThat(line.level()).isFalse();
        time.advance(100_000);
        assertThat(line.level()).isTrue();
    }

    @Test
    void offer_fullFifo_takesSixteenAndNoMore() {
        open(0x01, 0x01);
        assertThat(offer("0123456789abcdefXYZ")).isEqualTo(16);
        assertThat(offer("X")).isZero();
        assertThat(in(LSR) & 0x02).isZero();
        assertThat(in(DATA)).isEqualTo('0');
        assertThat(offer("XYZ")).isEqualTo(1);
    }

    @Test
    void offer_withoutFifo_takesOne() {
        open(0x01, 0x00);
        assertThat(offer("ab")).isEqualTo(1);
        assertThat(in(IIR)).isEqualTo(0x04);
        assertThat(in(DATA)).isEqualTo('a');
        assertThat(in(IIR)).isEqualTo(0x01);
    }

    @Test
    void receive_blocked_goesOnWhenTheGuestReads() throws InterruptedException {
        open(0x01, 0x01);
        byte[] bytes = "0123456789abcdefXYZ".getBytes(StandardCharsets.ISO_8859_1);
        Thread feeder =
                Thread.ofPlatform()
                        .start(() -> {
                            try {
                                uart.receive(bytes, 0, bytes.length);
                            } catch (InterruptedException e) {
                                Thread.currentThread().interrupt();
                            }
                        });
        StringBuilder got = new StringBuilder();
        while (got.length() < bytes.length) {
            if ((in(LSR) & 1) != 0) {
                got.append((char) in(DATA));
            }
        }
        feeder.join();
        assertThat(got.toString()).isEqualTo("0123456789abcdefXYZ");
    }

    @Test
    void iir_allSources_showsThemByPriority() {
        open(0x0F, 0x01);
        offer("x");
        uart.offerBreak();
        in(DATA);
        uart.setModemInputs(false, true, false, true);
        assertThat(in(IIR) & 0x0F).isEqualTo(0x06);
        assertThat(in(LSR) & 0x91).isEqualTo(0x91);
        assertThat(in(IIR) & 0x0F).isEqualTo(0x04);
        in(DATA);
        assertThat(in(IIR) & 0x0F).isEqualTo(0x02);
        assertThat(in(IIR) & 0x0F).isEqualTo(0x00);
        assertThat(in(MSR)).isEqualTo(0xA1);
        assertThat(in(IIR) & 0x0F).isEqualTo(0x01);
        assertThat(line.level()).isFalse();
    }

    @Test
    void out2_clear_gatesTheLineButNotIir() {
        open(0x02, 0x01);
        assertThat(line.level()).isTrue();
        out(MCR, 0x03);
        assertThat(line.level()).isFalse();
        assertThat(in(IIR) & 0x0F).isEqualTo(0x02);
    }

    @Test
    void loopback_transmit_comesBackAndNotOut() {
        open(0, 0x01);
        out(MCR, 0x10);
        out(DATA, 'z');
        assertThat(sent.toString()).isEmpty();
        assertThat(offer("x")).isZero();
        assertThat(in(LSR) & 1).isEqualTo(1);
        assertThat(in(DATA)).isEqualTo('z');
    }

    @Test
    void loopback_seventeenthCharacter_overruns() {
        open(0, 0x01);
        out(MCR, 0x10);
        for (int i = 0; i < 17; i++) {
            out(DATA, i);
        }
        assertThat(in(LSR) & 0x02).isEqualTo(0x02);
        assertThat(in(LSR) & 0x02).isZero();
    }

    @Test
    void ringIndicator_onlyTrailingEdge_setsDelta() {
        open(0x08, 0x01);
        in(MSR);
        uart.setModemInputs(true, true, true, true);
        assertThat(in(MSR)).isEqualTo(0xF0);
        uart.setModemInputs(true, true, false, true);
        assertThat(in(MSR)).isEqualTo(0xB4);
    }

    @Test
    void divisorLatch_open_readsBackAndHidesData() {
        out(LCR, 0x80);
        out(DATA, 0x34);
        out(IER, 0x12);
        assertThat(uart.readPort(BASE, 2)).isEqualTo(0x1234);
        assertThat(sent.toString()).isEmpty();
        out(LCR, 0x03);
        assertThat(in(IER)).isZero();
    }

    @Test
    void scratch_anyValue_readsBack() {
        out(SCRATCH, 0x5A);
        assertThat(in(SCRATCH)).isEqualTo(0x5A);
    }

    @Test
    void fifoControl_clearReceive_dropsInput() {
        open(0x01, 0x01);
        offer("abc");
        out(FCR, 0x03);
        assertThat(in(LSR) & 1).isZero();
        assertThat(line.level()).isFalse();
    }

    @Test
    void restore_savedState_goesOn() {
        open(0x03, 0x41);
        offer("abc");
        UartState saved = uart.state();
        RecordingInterruptLine otherLine = new RecordingInterruptLine();
        Uart16550A other = new Uart16550A(BASE, time, otherLine, value -> {});
        other.restore(saved);
        assertThat(other.state()).isEqualTo(saved);
        time.advance(400_000);
        assertThat(other.readPort(BASE + IIR, 1)).isEqualTo(0xCC);
        assertThat(other.readPort(BASE, 1)).isEqualTo('a');
    }

    @Test
    void state_hostileFifo_refused() {
        assertThatThrownBy(() -> new UartState(0, 0, 0, 0, 0, 0, 0, 0, List.of(1, 2), false, false))
                .isInstanceOf(IllegalArgumentException.class);
    }
}
