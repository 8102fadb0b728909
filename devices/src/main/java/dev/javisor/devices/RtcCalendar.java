package dev.javisor.devices;

import java.time.LocalDate;

/** Converts between seconds and the MC146818's time registers, in the format of register B. */
final class RtcCalendar {
    static final int SECONDS = 0;
    static final int SECONDS_ALARM = 1;
    static final int MINUTES = 2;
    static final int MINUTES_ALARM = 3;
    static final int HOURS = 4;
    static final int HOURS_ALARM = 5;
    static final int WEEKDAY = 6;
    static final int DAY = 7;
    static final int MONTH = 8;
    static final int YEAR = 9;
    static final int CENTURY = 0x32;

    static final int SECONDS_PER_DAY = 86_400;

    private static final int FORMAT_BINARY = 0x04;
    private static final int FORMAT_24_HOURS = 0x02;
    private static final int PM = 0x80;

    private RtcCalendar() {}

    static boolean isTime(int register) {
        return switch (register) {
            case SECONDS, MINUTES, HOURS, WEEKDAY, DAY, MONTH, YEAR, CENTURY -> true;
            default -> false;
        };
    }

    private static int encode(int value, int format) {
        return (format & FORMAT_BINARY) != 0 ? value : value / 10 << 4 | value % 10;
    }

    private static int decode(int raw, int format) {
        return (format & FORMAT_BINARY) != 0 ? raw : (raw >> 4) * 10 + (raw & 15);
    }

    private static int encodeHour(int hour, int format) {
        if ((format & FORMAT_24_HOURS) != 0) {
            return encode(hour, format);
        }
        int twelve = hour % 12 == 0 ? 12 : hour % 12;
        return encode(twelve, format) | (hour >= 12 ? PM : 0);
    }

    private static int decodeHour(int raw, int format) {
        if ((format & FORMAT_24_HOURS) != 0) {
            return decode(raw, format);
        }
        return decode(raw & ~PM, format) % 12 + ((raw & PM) != 0 ? 12 : 0);
    }

    /** What a time register reads. */
    static int read(int register, long seconds, int weekdayShift, int format) {
        long day = Math.floorDiv(seconds, (long) SECONDS_PER_DAY);
        int second = (int) Math.floorMod(seconds, (long) SECONDS_PER_DAY);
        return switch (register) {
            case SECONDS -> encode(second % 60, format);
            case MINUTES -> encode(second / 60 % 60, format);
            case HOURS -> encodeHour(second / 3600, format);
            // 1970-01-01 was a Thursday, and Sunday is 1.
            case WEEKDAY -> encode((int) Math.floorMod(day + 4 + weekdayShift, 7L) + 1, format);
            default -> readDate(register, LocalDate.ofEpochDay(day), format);
        };
    }

    private static int readDate(int register, LocalDate date, int format) {
        return switch (register) {
            case DAY -> encode(date.getDayOfMonth(), format);
            case MONTH -> encode(date.getMonthValue(), format);
            case YEAR -> encode(Math.floorMod(date.getYear(), 100), format);
            default -> encode(Math.floorMod(Math.floorDiv(date.getYear(), 100), 100), format);
        };
    }

    /** The time in raw registers; fields out of range carry over, the month is clamped. */
    static long parse(int[] registers, int format) {
        int month = Math.clamp(decode(registers[MONTH], format), 1, 12);
        int year = decode(registers[CENTURY], format) * 100 + decode(registers[YEAR], format);
        long day = LocalDate.of(year, month, 1).toEpochDay() + decode(registers[DAY], format) - 1;
        return day * SECONDS_PER_DAY
                + decodeHour(registers[HOURS], format) * 3600L
                + decode(registers[MINUTES], format) * 60L
                + decode(registers[SECONDS], format);
    }

    /** How far the weekday in raw registers is off from that of {@code seconds}. */
    static int weekdayShift(int[] registers, long seconds, int format) {
        long day = Math.floorDiv(seconds, (long) SECONDS_PER_DAY);
        return (int) Math.floorMod(decode(registers[WEEKDAY], format) - 1 - day - 4, 7L);
    }

    /** Whether the alarm registers match; 0xC0 and above matches anything. */
    static boolean alarmMatches(int[] registers, long seconds, int format) {
        int second = (int) Math.floorMod(seconds, (long) SECONDS_PER_DAY);
        int rawHour = registers[HOURS_ALARM];
        return matches(registers[SECONDS_ALARM], second % 60, format)
                && matches(registers[MINUTES_ALARM], second / 60 % 60, format)
                && (rawHour >= 0xC0 || decodeHour(rawHour, format) == second / 3600);
    }

    private static boolean matches(int raw, int value, int format) {
        return raw >= 0xC0 || decode(raw, format) == value;
    }
}
