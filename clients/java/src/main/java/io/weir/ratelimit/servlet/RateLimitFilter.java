package io.weir.ratelimit.servlet;

import io.weir.ratelimit.Answer;
import io.weir.ratelimit.CheckOptions;
import io.weir.ratelimit.Descriptor;
import io.weir.ratelimit.FailurePolicy;
import io.weir.ratelimit.Weir;
import jakarta.servlet.Filter;
import jakarta.servlet.FilterChain;
import jakarta.servlet.ServletException;
import jakarta.servlet.ServletRequest;
import jakarta.servlet.ServletResponse;
import jakarta.servlet.http.HttpServletRequest;
import jakarta.servlet.http.HttpServletResponse;
import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.time.Duration;
import java.util.List;
import java.util.Objects;
import java.util.function.BiConsumer;
import java.util.function.Function;
import java.util.function.ToLongFunction;

/**
 * Answers 429 with headers and a JSON body, or sets the headers and lets the request pass. 503 where the failure policy is
 * {@link FailurePolicy#DENY} and nobody can be asked; where it is {@link FailurePolicy#RAISE}, the container's own error.
 * A request that the container dispatches again (forward, async, error) is charged once.
 */
public final class RateLimitFilter implements Filter {
    private final Weir weir;
    private final String domain;
    private final Function<? super HttpServletRequest, List<Descriptor>> descriptors;
    private final ToLongFunction<? super HttpServletRequest> hits;
    private final CheckOptions options;
    private final BiConsumer<Answer, ? super HttpServletRequest> onAnswer;
    /** The request's attribute that says that it was let pass; each filter has one of its own. */
    private final String passed = RateLimitFilter.class.getName() + "@" + System.identityHashCode(this);

    private RateLimitFilter(Builder builder) {
        weir = builder.weir;
        domain = builder.domain;
        descriptors = builder.descriptors;
        hits = builder.hits;
        options = builder.options;
        onAnswer = builder.onAnswer;
    }

    /**
     * A filter to be.
     *
     * @param weir who is asked; closing it is left to whoever made it
     * @param domain as the rules have it
     * @param descriptors what a request is limited by; none: it passes without a check
     * @return what it is told how to be
     */
    public static Builder builder(
            Weir weir, String domain, Function<? super HttpServletRequest, List<Descriptor>> descriptors) {
        return new Builder(weir, domain, descriptors);
    }

    @Override
    public void doFilter(ServletRequest request, ServletResponse response, FilterChain chain)
            throws IOException, ServletException {
        if (request instanceof HttpServletRequest asked
                && response instanceof HttpServletResponse answered
                && !mayPass(asked, answered)) return;
        chain.doFilter(request, response);
    }

    private boolean mayPass(HttpServletRequest request, HttpServletResponse response) throws IOException {
        if (request.getAttribute(passed) != null) return true;
        List<Descriptor> asked = descriptors.apply(request);
        if (asked.isEmpty()) return true;
        Answer answer = weir.check(domain, asked, hits.applyAsLong(request), options);
        onAnswer.accept(answer, request);
        if (answer.allowed()) {
            request.setAttribute(passed, true);
            answer.headers().forEach(response::setHeader);
            return true;
        }
        Refusal refusal = Refusal.of(answer);
        byte[] body = refusal.body().getBytes(StandardCharsets.UTF_8);
        response.setStatus(refusal.status());
        refusal.headers().forEach(response::setHeader);
        response.setContentType("application/json");
        response.setContentLength(body.length);
        response.getOutputStream().write(body);
        return false;
    }

    /** How a filter is to be. */
    public static final class Builder {
        private final Weir weir;
        private final String domain;
        private final Function<? super HttpServletRequest, List<Descriptor>> descriptors;
        private ToLongFunction<? super HttpServletRequest> hits = request -> 1;
        private CheckOptions options = CheckOptions.DEFAULT;
        private BiConsumer<Answer, ? super HttpServletRequest> onAnswer = (answer, request) -> {};

        private Builder(
                Weir weir, String domain, Function<? super HttpServletRequest, List<Descriptor>> descriptors) {
            this.weir = Objects.requireNonNull(weir);
            this.domain = Objects.requireNonNull(domain);
            this.descriptors = Objects.requireNonNull(descriptors);
        }

        /**
         * Hits of a request.
         *
         * @param hits 1 unless told otherwise
         * @return this
         */
        public Builder hits(ToLongFunction<? super HttpServletRequest> hits) {
            this.hits = Objects.requireNonNull(hits);
            return this;
        }

        /**
         * For a whole check.
         *
         * @param timeout as the client has it unless told otherwise
         * @return this
         */
        public Builder timeout(Duration timeout) {
            options = options.withTimeout(timeout);
            return this;
        }

        /**
         * What a request gets when nobody can be asked.
         *
         * @param onFailure as the client has it unless told otherwise
         * @return this
         */
        public Builder onFailure(FailurePolicy onFailure) {
            options = options.withOnFailure(onFailure);
            return this;
        }

        /**
         * Told of every answer, for logs and metrics.
         *
         * @param onAnswer nobody unless told otherwise
         * @return this
         */
        public Builder onAnswer(BiConsumer<Answer, ? super HttpServletRequest> onAnswer) {
            this.onAnswer = Objects.requireNonNull(onAnswer);
            return this;
        }

        /**
         * The filter.
         *
         * @return one that may serve any number of requests at once
         */
        public RateLimitFilter build() {
            return new RateLimitFilter(this);
        }
    }
}
