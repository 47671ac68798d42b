/**
 * The full cycle of a snapshot and ten refusals through the AWS SDK for Java, for
 * java-cycle.test.ts. Standard output carries one JSON line for each step; the test compares them
 * with what it expects. The environment says which service to call, the one argument names a
 * snapshot of many blocks.
 */
public final class Main {
  private Main() {}

  public static void main(String[] arguments) {
    var cycle = new Cycle(arguments[0]);
    Facts.report("identify", cycle.identify());
    Facts.report("start", cycle.startParent());
    Facts.report("put", cycle.putParent());
    Facts.report("complete", cycle.completeParent());
    Facts.report("describe", cycle.describeParent());
    Facts.report("read", cycle.readParent());
    Facts.report("child", cycle.makeChild());
    Facts.report("compare", cycle.compare());
    Facts.report("tag", cycle.tag());
    Facts.report("pages", cycle.listPages());
    new Refusals(cycle).report();
    Facts.report("deleteParent", cycle.deleteParent());
    Facts.report("deleteChild", cycle.deleteChild());
  }
}
