package weir.interop;

import com.google.protobuf.ByteString;
import grpc.testing.EchoStatus;
import grpc.testing.Empty;
import grpc.testing.Payload;
import grpc.testing.SimpleRequest;
import grpc.testing.TestServiceGrpc.TestServiceBlockingStub;
import io.grpc.ManagedChannel;
import io.grpc.Metadata;
import io.grpc.StatusRuntimeException;
import io.grpc.protobuf.StatusProto;
import io.grpc.stub.MetadataUtils;
import java.util.ArrayList;
import java.util.HexFormat;
import java.util.List;
import java.util.Map;
import java.util.concurrent.atomic.AtomicReference;

/** What a call carries. */
final class Messages {
  private static final int MEGABYTE = 1 << 20;
  private static final int FAILED_PRECONDITION = 9;
  private static final String SPECIAL_MESSAGE =
      "\t\ntest with whitespace\r\nand Unicode BMP \u263a and non-BMP \ud83d\ude08\t\n";
  private static final Metadata.Key<String> INITIAL =
      Metadata.Key.of("x-grpc-test-echo-initial", Metadata.ASCII_STRING_MARSHALLER);
  private static final Metadata.Key<byte[]> TRAILING =
      Metadata.Key.of("x-grpc-test-echo-trailing-bin", Metadata.BINARY_BYTE_MARSHALLER);

  private Messages() {}

  static SimpleRequest request(int payload, int response) {
    var body = Payload.newBuilder().setBody(ByteString.copyFrom(new byte[payload]));
    return SimpleRequest.newBuilder().setPayload(body).setResponseSize(response).build();
  }

  static Map<String, Object> unary(ManagedChannel channel) {
    return Map.of("bytes", size(Client.stub(channel), request(10, 32)));
  }

  static Map<String, Object> large(ManagedChannel channel) {
    return Map.of("bytes", size(Client.stub(channel), request(MEGABYTE, MEGABYTE)));
  }

  static Map<String, Object> gzip(ManagedChannel channel) {
    return Map.of("bytes", size(Client.stub(channel).withCompression("gzip"), request(100_000, 32)));
  }

  static Map<String, Object> empty(ManagedChannel channel) {
    var stub = Client.stub(channel);
    stub.emptyCall(Empty.getDefaultInstance());
    return Map.of("bytes", size(stub, SimpleRequest.getDefaultInstance()), "ok", 2);
  }

  private static int size(TestServiceBlockingStub stub, SimpleRequest request) {
    return stub.unaryCall(request).getPayload().getBody().size();
  }

  static Map<String, Object> metadata(ManagedChannel channel) {
    var sent = new Metadata();
    sent.put(INITIAL, "test_initial_metadata_value");
    sent.put(TRAILING, new byte[] {(byte) 0xab, (byte) 0xab, (byte) 0xab});
    sent.put(TRAILING, new byte[] {0, (byte) 0xff});
    var headers = new AtomicReference<Metadata>();
    var trailers = new AtomicReference<Metadata>();
    Client.stub(channel)
        .withInterceptors(
            MetadataUtils.newAttachHeadersInterceptor(sent),
            MetadataUtils.newCaptureMetadataInterceptor(headers, trailers))
        .unaryCall(request(0, 0));
    var trailing = new ArrayList<String>();
    for (byte[] value : trailers.get().getAll(TRAILING)) trailing.add(HexFormat.of().formatHex(value));
    var initial = new ArrayList<String>();
    headers.get().getAll(INITIAL).forEach(initial::add);
    return Map.of("initial", initial, "trailing", trailing);
  }

  static Map<String, Object> error(ManagedChannel channel) throws Exception {
    var asked = EchoStatus.newBuilder().setCode(FAILED_PRECONDITION).setMessage(SPECIAL_MESSAGE);
    try {
      Client.stub(channel).unaryCall(SimpleRequest.newBuilder().setResponseStatus(asked).build());
    } catch (StatusRuntimeException error) {
      var details = new ArrayList<Map<String, Object>>();
      for (var detail : detailsOf(error)) {
        var echo = detail.unpack(EchoStatus.class);
        details.add(Map.of("type", detail.getTypeUrl(), "code", echo.getCode(), "message", echo.getMessage()));
      }
      var status = error.getStatus();
      return Map.of("code", status.getCode().value(), "message", status.getDescription(), "details", details);
    }
    throw new IllegalStateException("the call did not fail");
  }

  private static List<com.google.protobuf.Any> detailsOf(StatusRuntimeException error) {
    var status = StatusProto.fromThrowable(error);
    return status == null ? List.of() : status.getDetailsList();
  }
}
