package io.weir.ratelimit;

import java.util.ArrayList;
import java.util.List;

/**
 * What a request is limited by: entries in the order of the rules, and what is special about them. Immutable.
 *
 * @param entries keys and values
 * @param hits how many hits this one is charged: 0 only looks, a negative number gives back; null: those of the check
 * @param limit a limit that travels with the request and beats the rules; null: there is none
 */
public record Descriptor(List<Entry> entries, Long hits, Override limit) {
    /**
     * A key and its value.
     *
     * @param key as the rules have it
     * @param value any text
     */
    public record Entry(String key, String value) {}

    /**
     * A limit of the caller's own.
     *
     * @param requests from 0 to 2^32-1
     * @param unit in what time
     */
    public record Override(long requests, Unit unit) {}

    /** Keeps a copy of the entries. */
    public Descriptor {
        entries = List.copyOf(entries);
    }

    /**
     * A descriptor of one entry.
     *
     * @param key of the entry
     * @param value of the entry
     * @return one without hits and limit of its own
     */
    public static Descriptor of(String key, String value) {
        return new Descriptor(List.of(new Entry(key, value)), null, null);
    }

    /**
     * Adds an entry behind the others.
     *
     * @param key of the entry
     * @param value of the entry
     * @return the same with that entry
     */
    public Descriptor and(String key, String value) {
        List<Entry> more = new ArrayList<>(entries);
        more.add(new Entry(key, value));
        return new Descriptor(more, hits, limit);
    }

    /**
     * Charges it a number of its own.
     *
     * @param hits 0 only looks, a negative number gives back
     * @return the same with that number
     */
    public Descriptor withHits(long hits) {
        return new Descriptor(entries, hits, limit);
    }

    /**
     * Brings a limit along, which beats the rules.
     *
     * @param requests from 0 to 2^32-1
     * @param unit in what time
     * @return the same with that limit
     */
    public Descriptor withLimit(long requests, Unit unit) {
        return new Descriptor(entries, hits, new Override(requests, unit));
    }
}
