package weir.interop;

import grpc.testing.Empty;
import io.grpc.Context;
import io.grpc.ManagedChannel;
import io.grpc.StatusRuntimeException;
import java.util.ArrayList;
import java.util.Collections;
import java.util.List;
import java.util.Map;
import java.util.concurrent.Callable;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import java.util.concurrent.Future;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.atomic.AtomicInteger;

/** Many calls, and how they end. */
final class Calls {
  private static final int MANY = 10_000;
  private static final int MANY_AT_ONCE = 64;
  private static final int CONCURRENT = 200;
  private static final int DEADLINE_MS = 1_000;
  private static final int ROUNDS = 5;
  private static final int HELD = 50;
  private static final int WORKERS = 4;
  private static final int EACH = 50;
  private static final ExecutorService THREADS = Executors.newCachedThreadPool();

  private Calls() {}

  static Map<String, Object> many(ManagedChannel channel) throws Exception {
    var stub = Client.stub(channel);
    var left = new AtomicInteger(MANY);
    var ok = new AtomicInteger();
    together(MANY_AT_ONCE, i -> {
      while (left.decrementAndGet() >= 0) {
        stub.emptyCall(Empty.getDefaultInstance());
        ok.incrementAndGet();
      }
    });
    return Map.of("ok", ok.get());
  }

  static Map<String, Object> concurrent(ManagedChannel channel) throws Exception {
    var stub = Client.stub(channel, "x-weir-hold", String.valueOf(CONCURRENT));
    var ok = new AtomicInteger();
    together(CONCURRENT, i -> {
      stub.unaryCall(Messages.request(0, 0));
      ok.incrementAndGet();
    });
    return Map.of("ok", ok.get());
  }

  static Map<String, Object> deadline(ManagedChannel channel) {
    Client.stub(channel).emptyCall(Empty.getDefaultInstance());
    var stub = Client.stub(channel, "x-weir-call", "deadline", "x-weir-hold", "gone");
    return Map.of("code", codeOf(() ->
        stub.withDeadlineAfter(DEADLINE_MS, TimeUnit.MILLISECONDS).unaryCall(Messages.request(0, 0))));
  }

  static Map<String, Object> cancel(ManagedChannel channel) throws Exception {
    var stub = Client.stub(channel, "x-weir-call", "cancel", "x-weir-hold", "gone");
    var context = Context.current().withCancellation();
    Callable<Integer> call = () -> codeOf(() -> stub.unaryCall(Messages.request(0, 0)));
    var ended = THREADS.submit(context.wrap(call));
    Client.stub(channel, "x-weir-await", "cancel").emptyCall(Empty.getDefaultInstance());
    context.cancel(null);
    return Map.of("code", ended.get());
  }

  private static int codeOf(Runnable call) {
    try {
      call.run();
      return 0;
    } catch (StatusRuntimeException error) {
      return error.getStatus().getCode().value();
    }
  }

  static Map<String, Object> goaway(ManagedChannel channel) throws Exception {
    var held = Client.stub(channel, "x-weir-hold", "drain");
    var drain = Client.stub(channel, "x-weir-drain", String.valueOf(HELD));
    var beside = Client.stub(channel);
    var ok = new AtomicInteger();
    List<String> failed = Collections.synchronizedList(new ArrayList<>());
    for (int round = 0; round < ROUNDS; round++) {
      together(HELD + 1 + WORKERS, i -> {
        if (i < HELD) count("held", () -> held.unaryCall(Messages.request(0, 0)), ok, failed);
        else if (i == HELD) count("drain", () -> drain.emptyCall(Empty.getDefaultInstance()), ok, failed);
        else {
          for (int n = 0; n < EACH; n++) {
            count("beside", () -> beside.emptyCall(Empty.getDefaultInstance()), ok, failed);
          }
        }
      });
    }
    return Map.of("ok", ok.get(), "failed", failed);
  }

  private static void count(String what, Runnable call, AtomicInteger ok, List<String> failed) {
    try {
      call.run();
      ok.incrementAndGet();
    } catch (StatusRuntimeException error) {
      failed.add(what + ": " + error.getMessage());
    }
  }

  private interface Numbered {
    void run(int i) throws Exception;
  }

  /** Runs all at once, and throws what one of them has thrown. */
  private static void together(int n, Numbered each) throws Exception {
    var all = new ArrayList<Future<?>>();
    for (int i = 0; i < n; i++) {
      int number = i;
      all.add(THREADS.submit(() -> {
        each.run(number);
        return null;
      }));
    }
    for (var one : all) one.get();
  }
}
