package weir.interop;

import com.google.protobuf.DescriptorProtos.FileDescriptorProto;
import grpc.testing.Empty;
import io.grpc.Context;
import io.grpc.ManagedChannel;
import io.grpc.health.v1.HealthCheckRequest;
import io.grpc.health.v1.HealthGrpc;
import io.grpc.reflection.v1.ServerReflectionGrpc;
import io.grpc.reflection.v1.ServerReflectionRequest;
import io.grpc.reflection.v1.ServerReflectionResponse;
import io.grpc.stub.StreamObserver;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.concurrent.CompletableFuture;
import java.util.stream.Collectors;

/** Health and reflection. */
final class Services {
  private Services() {}

  static Map<String, Object> health(ManagedChannel channel) {
    var health = HealthGrpc.newBlockingStub(channel);
    var request = HealthCheckRequest.getDefaultInstance();
    var check = health.check(request).getStatus().name();
    var states = new ArrayList<String>();
    var context = Context.current().withCancellation();
    context.run(() -> {
      var watch = health.watch(request);
      states.add(watch.next().getStatus().name());
      for (var next : List.of("false", "true")) {
        Client.stub(channel, "x-weir-serving", next).emptyCall(Empty.getDefaultInstance());
        states.add(watch.next().getStatus().name());
      }
    });
    context.cancel(null);
    return Map.of("check", check, "watch", states);
  }

  static Map<String, Object> reflection(ManagedChannel channel) throws Exception {
    var list = ask(channel, ServerReflectionRequest.newBuilder().setListServices("").build());
    var services = list.getListServicesResponse().getServiceList().stream()
        .map(service -> service.getName())
        .sorted()
        .collect(Collectors.toList());
    var symbol = ServerReflectionRequest.newBuilder().setFileContainingSymbol("grpc.health.v1.Health").build();
    var file = ask(channel, symbol).getFileDescriptorResponse().getFileDescriptorProto(0);
    return Map.of("services", services, "package", FileDescriptorProto.parseFrom(file).getPackage());
  }

  private static ServerReflectionResponse ask(ManagedChannel channel, ServerReflectionRequest question)
      throws Exception {
    var answer = new CompletableFuture<ServerReflectionResponse>();
    var questions = ServerReflectionGrpc.newStub(channel)
        .serverReflectionInfo(new StreamObserver<ServerReflectionResponse>() {
          @Override
          public void onNext(ServerReflectionResponse response) {
            answer.complete(response);
          }

          @Override
          public void onError(Throwable error) {
            answer.completeExceptionally(error);
          }

          @Override
          public void onCompleted() {}
        });
    questions.onNext(question);
    questions.onCompleted();
    return answer.get();
  }
}
