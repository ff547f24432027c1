/** Skips the test, or in a `before` hook the suite, and tells the runner why. REQUIRE_ALL=1 makes it a failure. */
export function skip(context: Mocha.Context, because: string): never {
  const { test } = context as { test?: Mocha.Runnable & { readonly type?: string } };
  const skipped = test?.type === 'hook' ? test.parent : test;
  if (skipped) Object.assign(skipped, { skippedBecause: because });
  return context.skip();
}
