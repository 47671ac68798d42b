import java.io.ByteArrayOutputStream;
import java.security.MessageDigest;
import java.time.Duration;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.Base64;
import java.util.List;
import java.util.Map;
import java.util.SortedMap;
import java.util.TreeMap;
import software.amazon.awssdk.core.ResponseBytes;
import software.amazon.awssdk.core.sync.RequestBody;
import software.amazon.awssdk.core.sync.ResponseTransformer;
import software.amazon.awssdk.services.ebs.EbsClient;
import software.amazon.awssdk.services.ebs.model.ChangedBlock;
import software.amazon.awssdk.services.ebs.model.ChecksumAggregationMethod;
import software.amazon.awssdk.services.ebs.model.ChecksumAlgorithm;
import software.amazon.awssdk.services.ebs.model.GetSnapshotBlockResponse;
import software.amazon.awssdk.services.ebs.model.PutSnapshotBlockRequest;
import software.amazon.awssdk.services.ebs.model.Tag;
import software.amazon.awssdk.services.ec2.Ec2Client;
import software.amazon.awssdk.services.ec2.model.Filter;
import software.amazon.awssdk.services.sts.StsClient;

/** The steps of the cycle; each answers what it has seen. */
final class Cycle {
  static final int BLOCK_SIZE_BYTES = 524_288;

  /** Contents by block index, as the snapshots have them in the end. */
  private static final SortedMap<Integer, Integer> PARENT_BLOCKS =
      new TreeMap<>(Map.of(0, 7, 1, 0, 2_047, 4));
  private static final SortedMap<Integer, Integer> CHILD_OWN =
      new TreeMap<>(Map.of(1, 5, 4_095, 6));
  private static final SortedMap<Integer, Integer> CHILD_BLOCKS =
      new TreeMap<>(Map.of(0, 7, 1, 5, 2_047, 4, 4_095, 6));

  final EbsClient ebs = EbsClient.create();
  private final Ec2Client ec2 = Ec2Client.create();
  private final StsClient sts = StsClient.create();
  final String longSnapshot;
  String parent;
  private String child;

  Cycle(String longSnapshot) {
    this.longSnapshot = longSnapshot;
  }

  Map<String, Object> identify() {
    var caller = sts.getCallerIdentity();
    return Facts.of("account", caller.account(), "arn", caller.arn());
  }

  Map<String, Object> startParent() {
    var name = Tag.builder().key("Name").value("parent").build();
    var started = ebs.startSnapshot(request -> request
        .volumeSize(1L).description("the \"parent\", für alle").tags(name).timeout(60));
    parent = started.snapshotId();
    Map<String, Object> tags = new TreeMap<>();
    started.tags().forEach(tag -> tags.put(tag.key(), tag.value()));
    return Facts.of(
        "snapshotId", parent, "status", started.statusAsString(),
        "blockSize", started.blockSize(), "volumeSize", started.volumeSize(),
        "ownerId", started.ownerId(), "tags", tags,
        "description", started.description(), "startTime", started.startTime().toString());
  }

  Map<String, Object> putParent() {
    List<String> checksums = new ArrayList<>(List.of(put(parent, 0, 3)));
    PARENT_BLOCKS.forEach((index, number) -> checksums.add(put(parent, index, number)));
    return Facts.of("checksums", checksums);
  }

  Map<String, Object> completeParent() {
    var status = complete(parent, PARENT_BLOCKS);
    var again = ebs.completeSnapshot(request -> request.snapshotId(parent).changedBlocksCount(0));
    return Facts.of("status", status, "again", again.statusAsString());
  }

  Map<String, Object> describeParent() {
    var output = ec2.describeSnapshots(request -> request.snapshotIds(parent));
    var described = output.snapshots().get(0);
    Map<String, Object> tags = new TreeMap<>();
    described.tags().forEach(tag -> tags.put(tag.key(), tag.value()));
    return Facts.of(
        "snapshotId", described.snapshotId(), "state", described.stateAsString(),
        "progress", described.progress(), "ownerId", described.ownerId(),
        "volumeSize", described.volumeSize(), "volumeId", described.volumeId(),
        "encrypted", described.encrypted(), "fullSize", described.fullSnapshotSizeInBytes(),
        "tags", tags, "startTime", described.startTime().toString());
  }

  Map<String, Object> readParent() {
    return Facts.of("blocks", read(parent, PARENT_BLOCKS));
  }

  Map<String, Object> makeChild() {
    var started = ebs.startSnapshot(request -> request.volumeSize(2L).parentSnapshotId(parent));
    child = started.snapshotId();
    CHILD_OWN.forEach((index, number) -> put(child, index, number));
    var status = complete(child, CHILD_OWN);
    return Facts.of(
        "snapshotId", child, "parent", started.parentSnapshotId(), "status", status,
        "blocks", read(child, CHILD_BLOCKS));
  }

  Map<String, Object> compare() {
    var forth = changes(parent, child);
    var back = changes(child, parent);
    var first = back.get(0);
    var got = get(parent, first.blockIndex(), first.secondBlockToken());
    var expected = contents(PARENT_BLOCKS.get(first.blockIndex()));
    return Facts.of(
        "forth", tellChanges(forth), "back", tellChanges(back),
        "oldBlockIsSame", Arrays.equals(got.asByteArray(), expected));
  }

  Map<String, Object> tag() {
    ec2.createTags(request -> request.resources(child).tags(
        tag -> tag.key("Name").value("child"), tag -> tag.key("empty").value("")));
    var added = tags(child);
    ec2.deleteTags(request -> request.resources(child).tags(tag -> tag.key("Name")));
    return Facts.of("added", added, "left", tags(child));
  }

  Map<String, Object> listPages() {
    List<Integer> sizes = new ArrayList<>();
    List<Integer> indexes = new ArrayList<>();
    var pages = ebs.listSnapshotBlocksPaginator(
        request -> request.snapshotId(longSnapshot).maxResults(100));
    for (var page : pages) {
      sizes.add(page.blocks().size());
      page.blocks().forEach(block -> indexes.add(block.blockIndex()));
    }
    return Facts.of("sizes", sizes, "indexes", indexes);
  }

  Map<String, Object> deleteParent() {
    var seen = delete(parent);
    seen.put("blocks", read(child, CHILD_BLOCKS));
    return seen;
  }

  Map<String, Object> deleteChild() {
    return delete(child);
  }

  /** Deletes, and tells how listing and describing are refused from then on. */
  private Map<String, Object> delete(String id) {
    ec2.deleteSnapshot(request -> request.snapshotId(id));
    var listing = Refusals.errorOf(() -> ebs.listSnapshotBlocks(request -> request.snapshotId(id)));
    var describing =
        Refusals.errorOf(() -> ec2.describeSnapshots(request -> request.snapshotIds(id)));
    return Facts.of("listing", listing.get("code"), "describing", describing.get("code"));
  }

  private String put(String id, int index, int number) {
    var bytes = contents(number);
    var request = blockOf(id, index, bytes).build();
    return ebs.putSnapshotBlock(request, RequestBody.fromBytes(bytes)).checksum();
  }

  /** The request for a block that is well in every way. */
  static PutSnapshotBlockRequest.Builder blockOf(String id, int index, byte[] bytes) {
    return PutSnapshotBlockRequest.builder()
        .snapshotId(id).blockIndex(index).dataLength(bytes.length)
        .checksum(checksum(bytes)).checksumAlgorithm(ChecksumAlgorithm.SHA256);
  }

  /** Seals with the aggregate checksum and waits as the SDK does. */
  private String complete(String id, SortedMap<Integer, Integer> written) {
    var digests = new ByteArrayOutputStream();
    written.values().forEach(number -> digests.writeBytes(sha256(contents(number))));
    var status = ebs.completeSnapshot(request -> request
        .snapshotId(id).changedBlocksCount(written.size())
        .checksum(checksum(digests.toByteArray())).checksumAlgorithm(ChecksumAlgorithm.SHA256)
        .checksumAggregationMethod(ChecksumAggregationMethod.LINEAR)).statusAsString();
    try (var waiter = ec2.waiter()) {
      waiter.waitUntilSnapshotCompleted(
          request -> request.snapshotIds(id),
          settings -> settings.waitTimeout(Duration.ofMinutes(1)));
    }
    return status;
  }

  /** Lists a snapshot, gets every block and compares it with what was put. */
  private List<Object> read(String id, SortedMap<Integer, Integer> expected) {
    List<Object> seen = new ArrayList<>();
    for (var block : ebs.listSnapshotBlocks(request -> request.snapshotId(id)).blocks()) {
      var got = get(id, block.blockIndex(), block.blockToken());
      var wanted = contents(expected.get(block.blockIndex()));
      seen.add(Facts.of(
          "index", block.blockIndex(), "checksum", got.response().checksum(),
          "length", got.response().dataLength(),
          "algorithm", got.response().checksumAlgorithmAsString(),
          "same", Arrays.equals(got.asByteArray(), wanted)));
    }
    return seen;
  }

  private ResponseBytes<GetSnapshotBlockResponse> get(String id, int index, String token) {
    return ebs.getSnapshotBlock(
        request -> request.snapshotId(id).blockIndex(index).blockToken(token),
        ResponseTransformer.toBytes());
  }

  private List<ChangedBlock> changes(String first, String second) {
    return ebs.listChangedBlocks(
        request -> request.firstSnapshotId(first).secondSnapshotId(second)).changedBlocks();
  }

  /** Which of the snapshots have each block. */
  private static List<Map<String, Object>> tellChanges(List<ChangedBlock> changes) {
    return changes.stream().map(change -> Facts.of(
        "index", change.blockIndex(), "first", change.firstBlockToken() != null,
        "second", change.secondBlockToken() != null)).toList();
  }

  private Map<String, Object> tags(String id) {
    var filter = Filter.builder().name("resource-id").values(id).build();
    Map<String, Object> tags = new TreeMap<>();
    ec2.describeTags(request -> request.filters(filter)).tags()
        .forEach(tag -> tags.put(tag.key(), tag.value()));
    return tags;
  }

  /** A block's bytes by number; 0 is zeros. */
  static byte[] contents(int number) {
    var bytes = new byte[BLOCK_SIZE_BYTES];
    Arrays.fill(bytes, (byte) number);
    return bytes;
  }

  static String checksum(byte[] bytes) {
    return Base64.getEncoder().encodeToString(sha256(bytes));
  }

  private static byte[] sha256(byte[] bytes) {
    try {
      return MessageDigest.getInstance("SHA-256").digest(bytes);
    } catch (java.security.NoSuchAlgorithmException impossible) {
      throw new AssertionError("every Java has SHA-256", impossible);
    }
  }
}
