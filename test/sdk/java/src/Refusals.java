import java.util.Map;
import software.amazon.awssdk.auth.credentials.AwsBasicCredentials;
import software.amazon.awssdk.auth.credentials.DefaultCredentialsProvider;
import software.amazon.awssdk.auth.credentials.StaticCredentialsProvider;
import software.amazon.awssdk.awscore.exception.AwsServiceException;
import software.amazon.awssdk.core.sync.RequestBody;
import software.amazon.awssdk.core.sync.ResponseTransformer;
import software.amazon.awssdk.services.ebs.EbsClient;
import software.amazon.awssdk.services.ebs.model.PutSnapshotBlockRequest;
import software.amazon.awssdk.services.ebs.model.ResourceNotFoundException;
import software.amazon.awssdk.services.ebs.model.ValidationException;

/** Calls what the service must refuse, and reports each error as the SDK gives it. */
final class Refusals {
  private static final String UNKNOWN_SNAPSHOT = "snap-0ffffffffffffffff";
  private static final String CLIENT_TOKEN = "taken-in-java";
  /** Text that fits the pattern of tokens, and that nobody minted. */
  private static final String BAD_TOKEN = "bm90";

  private final EbsClient ebs;
  private final String parent;
  private final String unrelated;
  private final byte[] block = Cycle.contents(1);

  Refusals(Cycle cycle) {
    ebs = cycle.ebs;
    parent = cycle.parent;
    unrelated = cycle.longSnapshot;
  }

  void report() {
    var pending = ebs.startSnapshot(
        request -> request.volumeSize(1L).clientToken(CLIENT_TOKEN)).snapshotId();
    report("unknown snapshot",
        () -> ebs.listSnapshotBlocks(request -> request.snapshotId(UNKNOWN_SNAPSHOT)));
    report("wrong checksum", () -> put(
        Cycle.blockOf(pending, 0, block).checksum(Cycle.checksum(Cycle.contents(99)))));
    report("wrong length", () -> put(Cycle.blockOf(pending, 0, block).dataLength(1)));
    report("index beyond", () -> put(Cycle.blockOf(pending, 2_048, block)));
    report("completed snapshot", () -> put(Cycle.blockOf(parent, 0, block)));
    report("bad block token", () -> ebs.getSnapshotBlock(
        request -> request.snapshotId(parent).blockIndex(0).blockToken(BAD_TOKEN),
        ResponseTransformer.toBytes()));
    report("bad page token", () -> ebs.listSnapshotBlocks(
        request -> request.snapshotId(parent).nextToken(BAD_TOKEN)));
    report("unrelated snapshots", () -> ebs.listChangedBlocks(
        request -> request.firstSnapshotId(parent).secondSnapshotId(unrelated)));
    report("conflicting client token", () -> ebs.startSnapshot(
        request -> request.volumeSize(2L).clientToken(CLIENT_TOKEN)));
    report("wrong key", this::listWithWrongKey);
  }

  private void put(PutSnapshotBlockRequest.Builder request) {
    ebs.putSnapshotBlock(request.build(), RequestBody.fromBytes(block));
  }

  private void listWithWrongKey() {
    var keyId = DefaultCredentialsProvider.builder().build().resolveCredentials().accessKeyId();
    var wrong = StaticCredentialsProvider.create(AwsBasicCredentials.create(keyId, "wrong"));
    try (var client = EbsClient.builder().credentialsProvider(wrong).build()) {
      client.listSnapshotBlocks(request -> request.snapshotId(parent));
    }
  }

  private static void report(String name, Runnable call) {
    var seen = errorOf(call);
    seen.put("name", name);
    Facts.report("refusal", seen);
  }

  /** The error of a call as a caller of the SDK sees it; only some types carry a reason. */
  static Map<String, Object> errorOf(Runnable call) {
    try {
      call.run();
    } catch (AwsServiceException error) {
      var details = error.awsErrorDetails();
      return Facts.of("code", details.errorCode(), "message", details.errorMessage(),
          "reason", reasonOf(error));
    }
    return Facts.of("code", "no error", "message", "", "reason", "");
  }

  private static String reasonOf(AwsServiceException error) {
    if (error instanceof ValidationException invalid) return invalid.reasonAsString();
    if (error instanceof ResourceNotFoundException missing) return missing.reasonAsString();
    return "";
  }
}
