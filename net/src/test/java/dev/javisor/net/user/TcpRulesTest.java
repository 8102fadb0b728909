package dev.javisor.net.user;

import static dev.javisor.net.user.RawTcp.*;
import static org.assertj.core.api.Assertions.assertThat;

import java.nio.charset.StandardCharsets;
import java.util.Random;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.Test;

/** TCP against the book: what a hostile or broken guest may send (RFC 9293, RFC 5961). */
class TcpRulesTest {
    private static final long SECOND = 1_000_000_000;

    private final Bed bed = Bed.standard();
    private final RawTcp guest = new RawTcp(bed, 40_000);

    @AfterEach
    void close() {
        bed.close();
        assertThat(bed.outside.openSockets).isZero();
    }

    private static byte[] text(String text) {
        return text.getBytes(StandardCharsets.US_ASCII);
    }

    private static String text(FakeOutside.Peer peer) {
        return peer.received.toString(StandardCharsets.US_ASCII);
    }

    @Test
    void syn_refusedOutside_isReset() {
        bed.outside.answer = FakeOutside.Answer.REFUSE;
        guest.send(SYN);
        Wire.Segment answer = bed.only();
        assertThat(answer.flags()).isEqualTo(RST | ACK);
        assertThat(answer.acknowledgment()).isEqualTo(guest.sequence);
        assertThat(bed.network.connections()).isZero();
    }

    @Test
    void syn_hostWithoutSockets_isReset() {
        bed.outside.answer = FakeOutside.Answer.EXHAUSTED;
        guest.send(SYN);
        assertThat(bed.only().flags()).isEqualTo(RST | ACK);
    }

    @Test
    void syn_unreachable_isToldByIcmp() {
        bed.outside.answer = FakeOutside.Answer.UNREACHABLE;
        guest.send(SYN);
        byte[] frame = bed.frames.getFirst();
        assertThat(Wire.protocol(frame)).isEqualTo(1);
        byte[] icmp = Wire.upper(frame);
        assertThat(icmp[0]).isEqualTo((byte) 3);
        assertThat(Wire.sum(icmp, 0, icmp.length)).isEqualTo(0xFFFF);
    }

    @Test
    void syn_nobodyAnswersOutside_answersNothingThenGivesUp() {
        bed.outside.answer = FakeOutside.Answer.HANG;
        guest.send(SYN);
        guest.send(SYN, guest.sequence - 1, 0, new byte[0]);
        assertThat(bed.frames).isEmpty();
        assertThat(bed.outside.peers).hasSize(1);
        bed.advance(140 * SECOND);
        assertThat(bed.network.connections()).isZero();
        assertThat(bed.outside.openSockets).isZero();
    }

    @Test
    void synAck_lost_comesAgainThenEnds() {
        guest.send(SYN);
        bed.forget();
        bed.advance(1100 * SECOND / 1000);
        assertThat(bed.only().flags()).isEqualTo(SYN | ACK);
        guest.send(SYN, guest.sequence - 1, 0, new byte[0]);
        assertThat(bed.only().flags()).isEqualTo(SYN | ACK);
        bed.advance(600 * SECOND);
        assertThat(bed.network.connections()).isZero();
    }

    @Test
    void synReceived_badAcknowledgment_isReset() {
        guest.send(SYN);
        Wire.Segment answer = bed.only();
        guest.send(ACK, guest.sequence, answer.sequence() + 77, new byte[0]);
        Wire.Segment reset = bed.only();
        assertThat(reset.flags()).isEqualTo(RST);
        assertThat(reset.sequence()).isEqualTo(answer.sequence() + 77);
    }

    @Test
    void reset_inEveryState_endsBothSides() {
        // OPENING
        bed.outside.answer = FakeOutside.Answer.HANG;
        guest.send(SYN);
        guest.send(RST, guest.sequence, 0, new byte[0]);
        assertThat(bed.network.connections()).isZero();
        bed.outside.answer = FakeOutside.Answer.ACCEPT;
        // SYN_RECEIVED, then those behind it.
        for (int state = 0; state < 6; state++) {
            RawTcp each = new RawTcp(bed, 41_000 + state);
            bed.forget();
            if (state == 0) {
                each.send(SYN);
            } else {
                FakeOutside.Peer peer = each.open();
                if (state == 2 || state == 3) {
                    peer.end();
                    bed.run();
                }
                if (state == 3) {
                    each.acknowledgment++;
                    each.send(ACK);
                }
                if (state == 4 || state == 5) {
                    each.send(FIN | ACK);
                }
                if (state == 5) {
                    peer.end();
                    bed.run();
                }
            }
            assertThat(bed.network.connections()).as("state %d", state).isOne();
            each.send(RST, each.sequence, 0, new byte[0]);
            assertThat(bed.network.connections()).as("state %d", state).isZero();
            assertThat(bed.outside.peers.getLast().reset).as("state %d", state).isTrue();
        }
    }

    @Test
    void reset_inWindowButNotNext_isChallenged() {
        guest.open();
        guest.send(RST, guest.sequence + 100, 0, new byte[0]);
        Wire.Segment challenge = bed.only();
        assertThat(challenge.flags()).isEqualTo(ACK);
        assertThat(challenge.acknowledgment()).isEqualTo(guest.sequence);
        assertThat(bed.network.connections()).isOne();
        guest.send(RST, guest.sequence - 5_000_000, 0, new byte[0]);
        assertThat(bed.frames).isEmpty();
        assertThat(bed.network.connections()).isOne();
    }

    @Test
    void syn_onEstablished_isChallenged() {
        guest.open();
        guest.send(SYN, guest.sequence + 10, 0, new byte[0]);
        assertThat(bed.only().flags()).isEqualTo(ACK);
        assertThat(bed.network.connections()).isOne();
    }

    @Test
    void segment_ofNoConnection_isReset() {
        guest.send(ACK, 5, 9, text("x"));
        Wire.Segment reset = bed.only();
        assertThat(reset.flags()).isEqualTo(RST);
        assertThat(reset.sequence()).isEqualTo(9);
        guest.send(RST, 5, 9, new byte[0]);
        assertThat(bed.frames).isEmpty();
        guest.send(FIN, 5, 0, text("x"));
        assertThat(bed.only().acknowledgment()).isEqualTo(7);
    }

    @Test
    void checksum_wrong_isDropped() {
        FakeOutside.Peer peer = guest.open();
        guest.sendBroken(ACK, text("evil"));
        assertThat(bed.frames).isEmpty();
        guest.send(ACK, text("good"));
        assertThat(text(peer)).isEqualTo("good");
    }

    @Test
    void acknowledgment_ofWhatWasNeverSent_isAnsweredAndIgnored() {
        guest.open();
        guest.send(ACK, guest.sequence, guest.acknowledgment + 1000, text("x"));
        Wire.Segment answer = bed.only();
        assertThat(answer.acknowledgment()).isEqualTo(guest.sequence);
        assertThat(bed.network.connections()).isOne();
    }

    @Test
    void data_outOfOrderOverlappingAndTwice_arrivesOnceInOrder() {
        FakeOutside.Peer peer = guest.open();
        int base = guest.sequence;
        String all = "abcdefghijklmnopqrstuvwxyz";
        guest.send(ACK, base + 10, guest.acknowledgment, text(all.substring(10, 20)));
        Wire.Segment hole = bed.only();
        assertThat(hole.acknowledgment()).isEqualTo(base);
        byte[] sack = hole.option(5);
        assertThat(sack).hasSize(8);
        // What comes later for the same place says something else: the first stays.
        guest.send(ACK, base + 8, guest.acknowledgment, text("ij" + "XXXXXXXXXX" + "uv"));
        guest.send(ACK, base + 4, guest.acknowledgment, text(all.substring(4, 9)));
        guest.send(ACK, base + 24, guest.acknowledgment, text(all.substring(24)));
        assertThat(text(peer)).isEmpty();
        guest.send(ACK, base, guest.acknowledgment, text(all.substring(0, 6)));
        assertThat(text(peer)).isEqualTo(all.substring(0, 22));
        guest.send(ACK, base + 21, guest.acknowledgment, text(all.substring(21, 25)));
        assertThat(text(peer)).isEqualTo(all);
        bed.forget();
        guest.send(ACK, base, guest.acknowledgment, text(all));
        assertThat(bed.only().acknowledgment()).isEqualTo(base + 26);
        assertThat(text(peer)).isEqualTo(all);
    }

    @Test
    void data_beyondTheWindow_isCutOff() {
        FakeOutside.Peer peer = guest.open();
        bed.outside.socketBytes = 0;
        peer.eager = false;
        int edge = 0;
        byte[] block = new byte[1400];
        for (int i = 0; i < 2000; i++) {
            guest.send(ACK, block);
            Wire.Segment answer = bed.only();
            edge = answer.acknowledgment() + (answer.window() << TcpReceiver.SCALE);
            guest.sequence = answer.acknowledgment();
            if (answer.window() == 0) {
                break;
            }
        }
        assertThat(edge).isEqualTo(guest.sequence);
        int held = bed.network.tcp().pool().used() * ChunkPool.CHUNK_BYTES;
        assertThat(held).isBetween(TcpReceiver.WINDOW_BYTES / 2, TcpReceiver.WINDOW_BYTES + 16_384);
        // It goes on when the application reads.
        bed.outside.socketBytes = 64 << 10;
        peer.eager = true;
        bed.run();
        Wire.Segment update = Wire.segment(bed.frames.getLast(), bed.offloads.getLast());
        assertThat(update.window()).isPositive();
        assertThat(bed.network.tcp().pool().used()).isZero();
    }

    @Test
    void window_zero_isProbedAndNothingIsLost() {
        FakeOutside.Peer peer = guest.open();
        guest.window = 0;
        guest.send(ACK);
        peer.send(text("hello"));
        bed.run();
        assertThat(bed.frames).isEmpty();
        bed.advance(3 * SECOND);
        assertThat(bed.frames).isNotEmpty();
        Wire.Segment probe = Wire.segment(bed.frames.getFirst(), bed.offloads.getFirst());
        assertThat(probe.payload()).isEqualTo(text("h"));
        // For hours, as long as the guest answers.
        for (int i = 0; i < 200; i++) {
            bed.forget();
            guest.send(ACK);
            bed.advance(60 * SECOND);
        }
        assertThat(bed.network.connections()).isOne();
        bed.forget();
        guest.window = 65_535;
        guest.send(ACK);
        assertThat(bed.only().payload()).isEqualTo(text("hello"));
    }

    @Test
    void window_ofOneByte_movesAllTheSame() {
        FakeOutside.Peer peer = guest.open();
        guest.window = 1;
        guest.send(ACK);
        peer.send(text("slow"));
        bed.run();
        StringBuilder got = new StringBuilder();
        for (int i = 0; i < 4; i++) {
            Wire.Segment segment = bed.only();
            got.append(new String(segment.payload(), StandardCharsets.US_ASCII));
            guest.acknowledgment += segment.payload().length;
            guest.send(ACK);
        }
        assertThat(got.toString()).isEqualTo("slow");
    }

    @Test
    void threeDuplicates_bringTheLostSegmentAtOnce() {
        FakeOutside.Peer peer = guest.open();
        // No large segments: then one can be lost.
        bed.network.change(new dev.javisor.net.NetOffloads(true, false, false));
        peer.send(new byte[14_600]);
        bed.run();
        assertThat(bed.frames).hasSize(10);
        bed.forget();
        for (int i = 0; i < 3; i++) {
            assertThat(bed.frames).isEmpty();
            guest.send(ACK);
        }
        Wire.Segment again = Wire.segment(bed.frames.getFirst(), bed.offloads.getFirst());
        assertThat(again.sequence()).isEqualTo(guest.acknowledgment);
        assertThat(again.payload()).hasSize(1460);
    }

    @Test
    void guest_silent_isGivenUp() {
        FakeOutside.Peer peer = guest.open();
        peer.send(text("anybody?"));
        bed.advance(1000 * SECOND);
        assertThat(bed.network.connections()).isZero();
        assertThat(peer.reset).isTrue();
    }

    @Test
    void host_resets_soIsTheGuest() {
        FakeOutside.Peer peer = guest.open();
        peer.broken = true;
        bed.run();
        Wire.Segment reset = bed.only();
        assertThat(reset.flags() & RST).isNotZero();
        assertThat(reset.sequence()).isEqualTo(guest.acknowledgment);
    }

    @Test
    void end_ofOneSideOnly_leavesTheOtherOpen() {
        FakeOutside.Peer peer = guest.open();
        guest.send(FIN | ACK);
        bed.forget();
        assertThat(peer.outputShut).isTrue();
        assertThat(peer.closed).isFalse();
        peer.send(text("late answer"));
        bed.run();
        Wire.Segment answer = bed.only();
        assertThat(answer.payload()).isEqualTo(text("late answer"));
        guest.acknowledgment += answer.payload().length;
        peer.end();
        bed.run();
        assertThat(bed.frames).isNotEmpty();
        guest.acknowledgment++;
        guest.send(ACK);
        assertThat(peer.closed).isTrue();
        assertThat(peer.reset).isFalse();
        assertThat(bed.network.connections()).isZero();
    }

    @Test
    void timeWait_newSyn_opensAnew() {
        FakeOutside.Peer peer = guest.open();
        peer.end();
        bed.run();
        guest.acknowledgment++;
        guest.send(FIN | ACK);
        bed.forget();
        assertThat(bed.network.connections()).isOne();
        guest.send(SYN, guest.sequence + 1000, 0, new byte[0]);
        assertThat(bed.only().flags()).isEqualTo(SYN | ACK);
        assertThat(bed.outside.peers).hasSize(2);
    }

    @Test
    void synFlood_toThoseWhoNeverAnswer_isBounded() {
        bed.outside.answer = FakeOutside.Answer.HANG;
        for (int i = 0; i < 10_000; i++) {
            new RawTcp(bed, 1 + i).send(SYN);
        }
        assertThat(bed.network.connections()).isEqualTo(TcpStack.MAX_HALF_OPEN);
        assertThat(bed.outside.openSockets).isEqualTo(TcpStack.MAX_HALF_OPEN);
        // Others are still served.
        bed.outside.answer = FakeOutside.Answer.ACCEPT;
        bed.forget();
        new RawTcp(bed, 60_000).send(SYN);
        assertThat(bed.frames).isNotEmpty();
    }

    @Test
    void synFlood_neverCompleted_isBounded() {
        for (int i = 0; i < 10_000; i++) {
            new RawTcp(bed, 1 + i).send(SYN);
        }
        assertThat(bed.network.connections()).isEqualTo(TcpStack.MAX_HALF_OPEN);
        bed.advance(1000 * SECOND);
        assertThat(bed.network.connections()).isZero();
        assertThat(bed.outside.openSockets).isZero();
    }

    @Test
    void guest_withoutBuffers_isWaitedForNotBufferedFor() {
        FakeOutside.Peer peer = guest.open();
        bed.guestBuffers = 0;
        peer.send(new byte[50_000_000]);
        bed.run();
        assertThat(peer.unread()).isGreaterThan(49_000_000);
        assertThat(peer.isReading()).isFalse();
        assertThat(bed.network.tcp().heldBytes())
                .isLessThanOrEqualTo(TcpSender.QUEUE_BYTES + 131_072);
        bed.giveBuffers(4);
        assertThat(bed.frames).hasSize(1);
    }

    @Test
    void garbage_random_neverThrowsAndLeavesNothing() {
        long seed = Long.getLong("javisor.test.seed", 4711);
        System.out.println("garbage seed " + seed);
        Random random = new Random(seed);
        guest.open();
        for (int i = 0; i < 20_000; i++) {
            byte[] options = new byte[4 * random.nextInt(11)];
            random.nextBytes(options);
            byte[] payload = new byte[random.nextInt(50)];
            byte[] tcp =
                    Wire.tcp(
                            GUEST,
                            FAR,
                            random.nextInt(4) == 0
                                    ? random.nextInt(65_536)
                                    : 40_000 + random.nextInt(3),
                            80,
                            guest.sequence + random.nextInt(2000) - 1000,
                            guest.acknowledgment + random.nextInt(200) - 100,
                            random.nextInt(256),
                            random.nextInt(65_536),
                            options,
                            payload);
            byte[] frame = Wire.ip(GUEST, FAR, 6, tcp);
            if (random.nextInt(3) == 0) {
                frame[random.nextInt(frame.length)] ^= (byte) (1 << random.nextInt(8));
                bed.send(
                        random.nextBoolean()
                                ? java.util.Arrays.copyOf(frame, random.nextInt(frame.length + 1))
                                : frame,
                        dev.javisor.net.FrameOffload.VALID);
            } else {
                bed.send(frame);
            }
            if (random.nextInt(50) == 0) {
                bed.advance(random.nextInt(500_000_000));
            }
            bed.run();
            bed.forget();
        }
        bed.network.stop();
        assertThat(bed.network.connections()).isZero();
        assertThat(bed.network.tcp().pool().used()).isZero();
    }
}
