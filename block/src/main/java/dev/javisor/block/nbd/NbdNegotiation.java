package dev.javisor.block.nbd;

import static dev.javisor.block.nbd.NbdLayout.*;

import dev.javisor.block.image.ImageBlocks;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.charset.StandardCharsets;
import java.util.ArrayList;
import java.util.List;
import java.util.Optional;
import org.jspecify.annotations.Nullable;

/** The server's side of the handshake (proto.md, "Fixed newstyle negotiation"). */
final class NbdNegotiation {
    /** Longest data of an option: a name and its queries. */
    private static final int MAX_OPTION_BYTES = 1 << 16;

    /** Options before a client must have decided. */
    private static final int MAX_OPTIONS = 256;

    /** What a client and we agreed on. */
    record Agreed(
            NbdChannel channel, NbdExport export, boolean structured, List<NbdContext> contexts) {}

    private final List<NbdExport> exports;
    private final Optional<NbdTls> tls;
    private NbdChannel channel;
    private boolean structured;
    private List<NbdContext> contexts = List.of();
    private @Nullable NbdExport contextsOf;

    NbdNegotiation(NbdChannel channel, List<NbdExport> exports, Optional<NbdTls> tls) {
        this.channel = channel;
        this.exports = exports;
        this.tls = tls;
    }

    /** Empty if the client wants nothing more. */
    Optional<Agreed> run() throws IOException {
        ByteBuffer hello = ByteBuffer.allocate(18);
        hello.putLong(MAGIC).putLong(OPTION_MAGIC);
        hello.putShort((short) (FIXED_NEWSTYLE | NO_ZEROES));
        channel.write(hello.flip());
        int clientFlags = channel.read(4).getInt();
        if ((clientFlags & ~(FIXED_NEWSTYLE | NO_ZEROES)) != 0) {
            throw new IOException("unknown client flags %#x".formatted(clientFlags));
        }
        for (int i = 0; i < MAX_OPTIONS; i++) {
            ByteBuffer head = channel.read(16);
            if (head.getLong() != OPTION_MAGIC) {
                throw new IOException("no option");
            }
            int option = head.getInt();
            int length = head.getInt();
            if (length < 0 || length > MAX_OPTION_BYTES) {
                throw new IOException("an option of %d bytes".formatted(length & 0xFFFF_FFFFL));
            }
            ByteBuffer data = channel.read(length);
            if (option == OPT_ABORT) {
                reply(option, REP_ACK, new byte[0]);
                return Optional.empty();
            }
            if (tls.isPresent() && !channel.isSecured() && option != OPT_STARTTLS) {
                if (option == OPT_EXPORT_NAME) {
                    return Optional.empty();
                }
                reply(option, REP_ERR_TLS_REQD, text("this server wants TLS"));
                continue;
            }
            if (option == OPT_EXPORT_NAME) {
                return exportName(data, (clientFlags & NO_ZEROES) == 0);
            }
            NbdExport chosen = answer(option, data);
            if (chosen != null) {
                return Optional.of(agreed(chosen));
            }
        }
        throw new IOException("too many options");
    }

    private Agreed agreed(NbdExport export) {
        // proto.md, NBD_OPT_SET_META_CONTEXT: contexts of another export are of no use.
        List<NbdContext> usable = export == contextsOf && structured ? contexts : List.of();
        return new Agreed(channel, export, structured, usable);
    }

    private Optional<Agreed> exportName(ByteBuffer name, boolean zeroes) throws IOException {
        Optional<NbdExport> found = find(StandardCharsets.UTF_8.decode(name).toString());
        if (found.isEmpty()) {
            // There is no way to say so.
            return Optional.empty();
        }
        NbdExport export = found.get();
        ByteBuffer out = ByteBuffer.allocate(10 + (zeroes ? ZEROES : 0));
        out.putLong(export.image().sizeBytes()).putShort((short) flags(export));
        channel.write(out.rewind());
        return Optional.of(agreed(export));
    }

    /** The export that was chosen to begin with, if it was. */
    private @Nullable NbdExport answer(int option, ByteBuffer data) throws IOException {
        switch (option) {
            case OPT_LIST -> list(data);
            case OPT_STARTTLS -> startTls(data);
            case OPT_INFO, OPT_GO -> {
                return info(option, data);
            }
            case OPT_STRUCTURED_REPLY -> {
                if (data.hasRemaining()) {
                    invalid(option);
                } else {
                    structured = true;
                    reply(option, REP_ACK, new byte[0]);
                }
            }
            case OPT_LIST_META_CONTEXT, OPT_SET_META_CONTEXT -> metaContext(option, data);
            default -> reply(option, REP_ERR_UNSUP, new byte[0]);
        }
        return null;
    }

    private void invalid(int option) throws IOException {
        reply(option, REP_ERR_INVALID, text("malformed option"));
    }

    private static byte[] text(String message) {
        return message.getBytes(StandardCharsets.UTF_8);
    }

    private void reply(int option, int type, byte[] data) throws IOException {
        ByteBuffer out = ByteBuffer.allocate(20 + data.length);
        out.putLong(OPTION_REPLY_MAGIC).putInt(option).putInt(type).putInt(data.length).put(data);
        channel.write(out.flip());
    }

    private Optional<NbdExport> find(String name) {
        if (name.isEmpty() && exports.size() == 1) {
            return Optional.of(exports.getFirst());
        }
        return exports.stream().filter(e -> e.name().equals(name)).findFirst();
    }

    private void list(ByteBuffer data) throws IOException {
        if (data.hasRemaining()) {
            invalid(OPT_LIST);
            return;
        }
        for (NbdExport each : exports) {
            byte[] name = text(each.name());
            byte[] description = text(each.description());
            ByteBuffer out = ByteBuffer.allocate(4 + name.length + description.length);
            reply(OPT_LIST, REP_SERVER, out.putInt(name.length).put(name).put(description).array());
        }
        reply(OPT_LIST, REP_ACK, new byte[0]);
    }

    private void startTls(ByteBuffer data) throws IOException {
        if (data.hasRemaining() || channel.isSecured()) {
            invalid(OPT_STARTTLS);
        } else if (tls.isEmpty() || !channel.canBeSecured()) {
            reply(OPT_STARTTLS, REP_ERR_UNSUP, new byte[0]);
        } else {
            reply(OPT_STARTTLS, REP_ACK, new byte[0]);
            channel = channel.secured(tls.get(), true, "");
            structured = false;
            contexts = List.of();
            contextsOf = null;
        }
    }

    /** A length, then that many bytes of UTF-8; null if they are not there. */
    private static @Nullable String string(ByteBuffer data) {
        if (data.remaining() < 4) {
            return null;
        }
        int length = data.getInt();
        if (length < 0 || length > MAX_STRING || length > data.remaining()) {
            return null;
        }
        byte[] bytes = new byte[length];
        data.get(bytes);
        return new String(bytes, StandardCharsets.UTF_8);
    }

    private @Nullable NbdExport info(int option, ByteBuffer data) throws IOException {
        String name = string(data);
        if (name == null
                || data.remaining() < 2
                || (data.getShort() & 0xFFFF) * 2 != data.remaining()) {
            invalid(option);
            return null;
        }
        Optional<NbdExport> found = find(name);
        if (found.isEmpty()) {
            reply(option, REP_ERR_UNKNOWN, text("no such export"));
            return null;
        }
        NbdExport export = found.get();
        ByteBuffer size = ByteBuffer.allocate(12).putShort((short) INFO_EXPORT);
        size.putLong(export.image().sizeBytes()).putShort((short) flags(export));
        reply(option, REP_INFO, size.array());
        while (data.hasRemaining()) {
            switch (data.getShort() & 0xFFFF) {
                case INFO_NAME -> reply(option, REP_INFO, info(INFO_NAME, export.name()));
                case INFO_DESCRIPTION ->
                        reply(option, REP_INFO, info(INFO_DESCRIPTION, export.description()));
                default -> {} // To be ignored.
            }
        }
        ByteBuffer blocks = ByteBuffer.allocate(14).putShort((short) INFO_BLOCK_SIZE);
        blocks.putInt(1).putInt(ImageBlocks.preferred(export.image())).putInt(MAX_PAYLOAD);
        reply(option, REP_INFO, blocks.array());
        reply(option, REP_ACK, new byte[0]);
        return option == OPT_GO ? export : null;
    }

    private static byte[] info(int type, String value) {
        byte[] bytes = text(value);
        return ByteBuffer.allocate(2 + bytes.length).putShort((short) type).put(bytes).array();
    }

    private int flags(NbdExport export) {
        int flags = HAS_FLAGS | CAN_MULTI_CONN;
        if (structured) {
            flags |= SEND_DF;
        }
        if (export.readOnly()) {
            return flags | READ_ONLY;
        }
        flags |= SEND_FLUSH | SEND_FUA | SEND_WRITE_ZEROES;
        return export.image().canDiscard() ? flags | SEND_TRIM : flags;
    }

    private void metaContext(int option, ByteBuffer data) throws IOException {
        boolean sets = option == OPT_SET_META_CONTEXT;
        if (sets) {
            contexts = List.of();
            contextsOf = null;
        }
        String name = string(data);
        if (name == null || data.remaining() < 4 || !structured) {
            invalid(option);
            return;
        }
        int count = data.getInt();
        List<String> queries = new ArrayList<>();
        for (int i = 0; i < count; i++) {
            String query = string(data);
            if (query == null) {
                break;
            }
            queries.add(query);
        }
        if (count < 0 || queries.size() != count || data.hasRemaining()) {
            invalid(option);
            return;
        }
        Optional<NbdExport> found = find(name);
        if (found.isEmpty()) {
            reply(option, REP_ERR_UNKNOWN, text("no such export"));
            return;
        }
        List<NbdContext> all = NbdContext.of(found.get());
        List<NbdContext> wanted =
                !sets && queries.isEmpty()
                        ? all
                        : all.stream()
                                .filter(context ->
                                        queries.stream()
                                                .anyMatch(query -> context.matches(query, !sets)))
                                .toList();
        for (NbdContext each : wanted) {
            byte[] text = text(each.name());
            ByteBuffer out = ByteBuffer.allocate(4 + text.length);
            reply(option, REP_META_CONTEXT, out.putInt(each.id()).put(text).array());
        }
        reply(option, REP_ACK, new byte[0]);
        if (sets) {
            contexts = wanted;
            contextsOf = found.get();
        }
    }
}
