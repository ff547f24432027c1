package weir.interop;

import com.google.gson.GsonBuilder;
import grpc.testing.TestServiceGrpc;
import io.grpc.ClientInterceptor;
import io.grpc.ManagedChannel;
import io.grpc.Metadata;
import io.grpc.netty.shaded.io.grpc.netty.GrpcSslContexts;
import io.grpc.netty.shaded.io.grpc.netty.NettyChannelBuilder;
import io.grpc.stub.MetadataUtils;
import java.io.File;
import java.io.PrintStream;
import java.nio.charset.StandardCharsets;
import java.util.LinkedHashMap;
import java.util.Map;

/**
 * The cases of the interop tests by grpc-java on netty: prints one line of JSON for each. The arguments are ADDRESS CA
 * CASE..., where CA is a file of PEM, or - for plain text.
 */
public final class Client {
  /** What a case has to say beside its name. */
  interface Case {
    Map<String, Object> run(ManagedChannel channel) throws Exception;
  }

  private static final Map<String, Case> CASES = Map.ofEntries(
      Map.entry("unary", Messages::unary),
      Map.entry("large", Messages::large),
      Map.entry("empty", Messages::empty),
      Map.entry("gzip", Messages::gzip),
      Map.entry("metadata", Messages::metadata),
      Map.entry("error", Messages::error),
      Map.entry("many", Calls::many),
      Map.entry("concurrent", Calls::concurrent),
      Map.entry("deadline", Calls::deadline),
      Map.entry("cancel", Calls::cancel),
      Map.entry("goaway", Calls::goaway),
      Map.entry("health", Services::health),
      Map.entry("reflection", Services::reflection));

  public static void main(String[] args) {
    // Threads of pools may live on for a minute, so the end is said.
    try {
      if (args.length < 3) throw new IllegalArgumentException("usage: client ADDRESS CA CASE...");
      for (int i = 2; i < args.length; i++) run(args[0], args[1], args[i]);
      System.exit(0);
    } catch (Exception error) {
      error.printStackTrace();
      System.exit(1);
    }
  }

  private static void run(String address, String ca, String name) throws Exception {
    var one = CASES.get(name);
    if (one == null) throw new IllegalArgumentException("there is no case " + name);
    var said = new LinkedHashMap<String, Object>();
    said.put("case", name);
    said.putAll(one.run(channel(address, ca)));
    var out = new PrintStream(System.out, true, StandardCharsets.UTF_8);
    out.println(new GsonBuilder().disableHtmlEscaping().create().toJson(said));
  }

  private static ManagedChannel channel(String address, String ca) throws Exception {
    var builder = NettyChannelBuilder.forTarget(address);
    if (ca.equals("-")) return builder.usePlaintext().build();
    return builder.sslContext(GrpcSslContexts.forClient().trustManager(new File(ca)).build()).build();
  }

  static TestServiceGrpc.TestServiceBlockingStub stub(ManagedChannel channel, String... words) {
    return TestServiceGrpc.newBlockingStub(channel).withInterceptors(saying(words));
  }

  /** Metadata, as names and values in turn. */
  static ClientInterceptor saying(String... words) {
    var metadata = new Metadata();
    for (int i = 0; i < words.length; i += 2) {
      metadata.put(Metadata.Key.of(words[i], Metadata.ASCII_STRING_MARSHALLER), words[i + 1]);
    }
    return MetadataUtils.newAttachHeadersInterceptor(metadata);
  }
}
