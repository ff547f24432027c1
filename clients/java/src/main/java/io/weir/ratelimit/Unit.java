package io.weir.ratelimit;

/** The unit of a limit. A month has 30 days, a year 365. */
public enum Unit {
    /** A second. */
    SECOND(1, 1),
    /** 60 seconds. */
    MINUTE(2, 60),
    /** 60 minutes. */
    HOUR(3, 3_600),
    /** 24 hours. */
    DAY(4, 86_400),
    /** 7 days. */
    WEEK(7, 604_800),
    /** 30 days. */
    MONTH(5, 2_592_000),
    /** 365 days. */
    YEAR(6, 31_536_000);

    /** Of Envoy's API. */
    final int number;

    final long seconds;

    Unit(int number, long seconds) {
        this.number = number;
        this.seconds = seconds;
    }

    /** null when this version does not know it. */
    static Unit ofNumber(int number) {
        for (Unit each : values()) {
            if (each.number == number) return each;
        }
        return null;
    }
}
