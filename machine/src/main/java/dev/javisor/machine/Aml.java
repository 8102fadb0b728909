package dev.javisor.machine;

import java.io.ByteArrayOutputStream;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.charset.StandardCharsets;
import java.util.UUID;

/**
 * Writes ACPI Machine Language so that it reads like ASL: {@code scope("\\_SB", device("PCI0",
 * name("_HID", eisaId("PNP0A08")))}. Encodings: ACPI 6.5 §20.2.
 */
public final class Aml {
    private static final int ZERO_OP = 0x00;
    private static final int ONE_OP = 0x01;
    private static final int NAME_OP = 0x08;
    private static final int BYTE_PREFIX = 0x0A;
    private static final int WORD_PREFIX = 0x0B;
    private static final int DWORD_PREFIX = 0x0C;
    private static final int STRING_PREFIX = 0x0D;
    private static final int QWORD_PREFIX = 0x0E;
    private static final int SCOPE_OP = 0x10;
    private static final int BUFFER_OP = 0x11;
    private static final int PACKAGE_OP = 0x12;
    private static final int METHOD_OP = 0x14;
    private static final int DUAL_NAME_PREFIX = 0x2E;
    private static final int MULTI_NAME_PREFIX = 0x2F;
    private static final int EXT_OP_PREFIX = 0x5B;
    private static final int DEVICE_OP = 0x82;
    private static final int ARG0_OP = 0x68;
    private static final int AND_OP = 0x7B;
    private static final int OR_OP = 0x7D;
    private static final int CREATE_DWORD_FIELD_OP = 0x8A;
    private static final int LNOT_OP = 0x92;
    private static final int LEQUAL_OP = 0x93;
    private static final int IF_OP = 0xA0;
    private static final int ELSE_OP = 0xA1;
    private static final int RETURN_OP = 0xA4;

    private Aml() {}

    // --- named objects ---

    /** {@code Scope (path) { ... }}. */
    public static AmlTerm scope(String path, AmlTerm... body) {
        return pkg(bytes(SCOPE_OP), nameString(path), body);
    }

    /** {@code Device (name) { ... }}. */
    public static AmlTerm device(String name, AmlTerm... body) {
        return pkg(bytes(EXT_OP_PREFIX, DEVICE_OP), nameString(name), body);
    }

    /** {@code Name (name, value)}. */
    public static AmlTerm name(String name, AmlTerm value) {
        return term(bytes(NAME_OP), nameString(name), value.bytes());
    }

    /** {@code Name (name, integer)}. */
    public static AmlTerm name(String name, long value) {
        return name(name, integer(value));
    }

    /**
     * {@code Method (name, arguments, NotSerialized) { ... }}.
     *
     * @param arguments 0 to 7
     */
    public static AmlTerm method(String name, int arguments, AmlTerm... body) {
        return method(name, arguments, 0, body);
    }

    /** {@code Method (name, arguments, Serialized) { ... }}: one that creates named objects. */
    public static AmlTerm serializedMethod(String name, int arguments, AmlTerm... body) {
        return method(name, arguments, 0x08, body);
    }

    private static AmlTerm method(String name, int arguments, int flags, AmlTerm... body) {
        if (arguments < 0 || arguments > 7) {
            throw new IllegalArgumentException("a method has 0 to 7 arguments, not " + arguments);
        }
        byte[] head = term(nameString(name), bytes(flags | arguments)).bytes();
        return pkg(bytes(METHOD_OP), head, body);
    }

    // --- data ---

    /** An integer in its shortest form, unsigned. */
    public static AmlTerm integer(long value) {
        if (value == 0) {
            return new AmlTerm(bytes(ZERO_OP));
        }
        if (value == 1) {
            return new AmlTerm(bytes(ONE_OP));
        }
        if (value >>> 8 == 0) {
            return new AmlTerm(bytes(BYTE_PREFIX, (int) value));
        }
        if (value >>> 16 == 0) {
            return term(bytes(WORD_PREFIX), littleEndian(value, 2));
        }
        if (value >>> 32 == 0) {
            return term(bytes(DWORD_PREFIX), littleEndian(value, 4));
        }
        return term(bytes(QWORD_PREFIX), littleEndian(value, 8));
    }

    /** An ASCII string. */
    public static AmlTerm string(String value) {
        if (value.indexOf('\0') >= 0) {
            throw new IllegalArgumentException("a string holds no NUL");
        }
        return term(
                bytes(STRING_PREFIX), value.getBytes(StandardCharsets.US_ASCII), bytes(ZERO_OP));
    }

    /** {@code EISAID ("PNP0A08")}: three letters, four hexadecimal digits. */
    public static AmlTerm eisaId(String id) {
        if (!id.matches("[A-Z]{3}[0-9A-F]{4}")) {
            throw new IllegalArgumentException("not an EISA id: " + id);
        }
        int letters =
                (id.charAt(0) - 0x40) << 10 | (id.charAt(1) - 0x40) << 5 | (id.charAt(2) - 0x40);
        int product = Integer.parseInt(id.substring(3), 16);
        return integer(Integer.reverseBytes(letters << 16 | product) & 0xFFFF_FFFFL);
    }

    /** {@code ToUUID (...)}: the first three fields little-endian (ACPI 6.5 §19.6.142). */
    public static AmlTerm uuid(String text) {
        UUID uuid = UUID.fromString(text);
        long high = uuid.getMostSignificantBits();
        ByteBuffer buffer = ByteBuffer.allocate(16).order(ByteOrder.LITTLE_ENDIAN);
        buffer.putInt((int) (high >>> 32)).putShort((short) (high >>> 16)).putShort((short) high);
        buffer.order(ByteOrder.BIG_ENDIAN).putLong(uuid.getLeastSignificantBits());
        return buffer(buffer.array());
    }

    /** {@code Buffer () { ... }}. */
    public static AmlTerm buffer(byte[] content) {
        return pkg(bytes(BUFFER_OP), integer(content.length).bytes(), new AmlTerm(content.clone()));
    }

    /** {@code Package () { ... }} of at most 255 elements. */
    public static AmlTerm list(AmlTerm... elements) {
        if (elements.length > 255) {
            throw new IllegalArgumentException("too many elements: " + elements.length);
        }
        return pkg(bytes(PACKAGE_OP), bytes(elements.length), elements);
    }

    /** {@code Package () { ... }} of integers. */
    public static AmlTerm list(long... elements) {
        AmlTerm[] terms = new AmlTerm[elements.length];
        for (int i = 0; i < elements.length; i++) {
            terms[i] = integer(elements[i]);
        }
        return list(terms);
    }

    /** {@code ResourceTemplate () { ... }}; the end tag is added. */
    public static AmlTerm resources(AmlResource... resources) {
        ByteArrayOutputStream out = new ByteArrayOutputStream();
        for (AmlResource resource : resources) {
            out.writeBytes(resource.bytes());
        }
        // End tag with checksum 0, which stands for "not checked" (ACPI 6.5 §6.4.2.9).
        out.write(0x79);
        out.write(0);
        return buffer(out.toByteArray());
    }

    // --- expressions and statements ---

    /** A reference to a named object. */
    public static AmlTerm reference(String path) {
        return new AmlTerm(nameString(path));
    }

    /** {@code Arg0} to {@code Arg6}. */
    public static AmlTerm arg(int number) {
        if (number < 0 || number > 6) {
            throw new IllegalArgumentException("no argument " + number);
        }
        return new AmlTerm(bytes(ARG0_OP + number));
    }

    /** {@code LEqual (left, right)}. */
    public static AmlTerm equal(AmlTerm left, AmlTerm right) {
        return term(bytes(LEQUAL_OP), left.bytes(), right.bytes());
    }

    /** {@code LNotEqual (left, right)}. */
    public static AmlTerm notEqual(AmlTerm left, AmlTerm right) {
        return term(bytes(LNOT_OP), equal(left, right).bytes());
    }

    /** {@code And (left, right, target)}. */
    public static AmlTerm and(AmlTerm left, AmlTerm right, AmlTerm target) {
        return term(bytes(AND_OP), left.bytes(), right.bytes(), target.bytes());
    }

    /** {@code Or (left, right, target)}. */
    public static AmlTerm or(AmlTerm left, AmlTerm right, AmlTerm target) {
        return term(bytes(OR_OP), left.bytes(), right.bytes(), target.bytes());
    }

    /** {@code CreateDWordField (source, byteIndex, name)}. */
    public static AmlTerm createDwordField(AmlTerm source, int byteIndex, String name) {
        return term(
                bytes(CREATE_DWORD_FIELD_OP),
                source.bytes(),
                integer(byteIndex).bytes(),
                nameString(name));
    }

    /** {@code If (condition) { ... }}. */
    public static AmlTerm when(AmlTerm condition, AmlTerm... body) {
        return pkg(bytes(IF_OP), condition.bytes(), body);
    }

    /** {@code Else { ... }}, right after {@link #when}. */
    public static AmlTerm otherwise(AmlTerm... body) {
        return pkg(bytes(ELSE_OP), new byte[0], body);
    }

    /** {@code Return (value)}. */
    public static AmlTerm returns(AmlTerm value) {
        return term(bytes(RETURN_OP), value.bytes());
    }

    /** Terms one after the other. */
    public static AmlTerm sequence(AmlTerm... terms) {
        ByteArrayOutputStream out = new ByteArrayOutputStream();
        for (AmlTerm term : terms) {
            term.appendTo(out);
        }
        return new AmlTerm(out.toByteArray());
    }

    // --- encoding ---

    /** NameString (§20.2.2): root or parent prefixes, then segments of four characters. */
    static byte[] nameString(String path) {
        ByteArrayOutputStream out = new ByteArrayOutputStream();
        int at = 0;
        while (at < path.length() && (path.charAt(at) == '\\' || path.charAt(at) == '^')) {
            out.write(path.charAt(at));
            at++;
        }
        String rest = path.substring(at);
        if (rest.isEmpty()) {
            out.write(ZERO_OP);
            return out.toByteArray();
        }
        String[] segments = rest.split("\\.", -1);
        if (segments.length == 2) {
            out.write(DUAL_NAME_PREFIX);
        } else if (segments.length > 2) {
            out.write(MULTI_NAME_PREFIX);
            out.write(segments.length);
        }
        for (String segment : segments) {
            if (!segment.matches("[A-Z_][A-Z0-9_]{0,3}")) {
                throw new IllegalArgumentException("not an AML name: " + path);
            }
            out.writeBytes((segment + "___").substring(0, 4).getBytes(StandardCharsets.US_ASCII));
        }
        return out.toByteArray();
    }

    /** An operation with a PkgLength (§20.2.4), which counts itself. */
    private static AmlTerm pkg(byte[] operation, byte[] head, AmlTerm... body) {
        int content = head.length;
        for (AmlTerm term : body) {
            content += term.sizeBytes();
        }
        ByteArrayOutputStream out = new ByteArrayOutputStream();
        out.writeBytes(operation);
        if (content + 1 <= 0x3F) {
            out.write(content + 1);
        } else {
            int extra = content + 2 <= 0xFFF ? 1 : content + 3 <= 0xF_FFFF ? 2 : 3;
            int length = content + 1 + extra;
            if (length > 0xFFF_FFFF) {
                throw new IllegalArgumentException("AML package too long: " + length);
            }
            out.write(extra << 6 | length & 0x0F);
            for (int i = 0; i < extra; i++) {
                out.write(length >>> (4 + 8 * i));
            }
        }
        out.writeBytes(head);
        for (AmlTerm term : body) {
            term.appendTo(out);
        }
        return new AmlTerm(out.toByteArray());
    }

    private static AmlTerm term(byte[]... parts) {
        ByteArrayOutputStream out = new ByteArrayOutputStream();
        for (byte[] part : parts) {
            out.writeBytes(part);
        }
        return new AmlTerm(out.toByteArray());
    }

    private static byte[] bytes(int... values) {
        byte[] bytes = new byte[values.length];
        for (int i = 0; i < values.length; i++) {
            bytes[i] = (byte) values[i];
        }
        return bytes;
    }

    static byte[] littleEndian(long value, int sizeBytes) {
        byte[] bytes = new byte[sizeBytes];
        for (int i = 0; i < sizeBytes; i++) {
            bytes[i] = (byte) (value >>> (8 * i));
        }
        return bytes;
    }
}
