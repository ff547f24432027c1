import type { FailurePolicy } from '../core/decision.ts';
import type { Problem, RulesDocument } from '../core/ports.ts';
import type { Domain, Position, Rule, Ruleset } from '../core/ruleset.ts';
import { checkLimits, limitPool, limitsOf } from './compile-limit.ts';
import { closed, type OpenLevel, openLevel, place } from './level.ts';
import { type FileDraft, type ParsedDocument, parse, placeOf, type RuleDraft } from './parse.ts';
import { Problems } from './problem.ts';
import { FAILURE_POLICIES, wordHint } from './schema.ts';

export interface CompileOptions {
  /** Files of one domain add up, in the order of their names; else the second is a problem. */
  readonly mergeDomains: boolean;
  /** false: the service has no secret to hash values with, so that rules which want it are refused. */
  readonly canHash?: boolean;
  /** What the ruleset will be numbered. */
  readonly generation: number;
}

export type Compiled =
  | { readonly ok: true; readonly ruleset: Ruleset }
  | { readonly ok: false; readonly problems: readonly Problem[] };

/**
 * All files together make one ruleset, or none: a single problem refuses the set. Problems come by file in the order of
 * names, and within a file as the Go service would meet them: keys, types, then meaning.
 */
export function compile(documents: readonly RulesDocument[], options: CompileOptions): Compiled {
  const problems = new Problems();
  const compiler = new Compiler(options, problems);
  for (const document of [...documents].sort((a, b) => (a.name < b.name ? -1 : a.name > b.name ? 1 : 0))) {
    if (problems.full) break;
    const parsed = parse(document);
    problems.addAll(parsed.problems.all);
    compiler.add(parsed);
  }
  return problems.all.length === 0 ? { ok: true, ruleset: compiler.ruleset() } : { ok: false, problems: problems.all };
}

/** A level, and every `key_value` in it: two that read the same are one rule written twice. */
interface CheckedLevel extends OpenLevel {
  readonly texts: Map<string, Position>;
}

interface OpenDomain extends Domain {
  countDenied: boolean | null;
  readonly root: CheckedLevel;
  readonly at: Position;
}

/** What a rule inherits from the levels above it. */
interface Above {
  readonly path: string;
  readonly metricVaries: boolean;
}

class Compiler {
  readonly #options: CompileOptions;
  readonly #problems: Problems;
  readonly #domains = new Map<string, OpenDomain>();
  readonly #rules: Rule[] = [];
  readonly #pool = limitPool();

  constructor(options: CompileOptions, problems: Problems) {
    this.#options = options;
    this.#problems = problems;
  }

  add(document: ParsedDocument): void {
    const { file, source } = document;
    if (file === null) return;
    if (file.domain === '' && file.sound) {
      this.#problems.add(source, placeOf(file, 'domain'), 'config file cannot have empty domain');
    }
    const at = positionOf(document, placeOf(file, 'domain'));
    let domain = this.#domains.get(file.domain);
    if (domain !== undefined && file.domain !== '' && !this.#options.mergeDomains) {
      const hint = `it is in ${domain.at.file} already`;
      this.#problems.add(source, placeOf(file, 'domain'), `duplicate domain '${file.domain}' in config file`, hint);
      // Its rules are still checked, each on its own.
      domain = undefined;
    }
    if (domain === undefined || file.domain === '') {
      domain = { name: file.domain, countDenied: null, root: checkedLevel(), at };
    }
    if (file.domain !== '' && !this.#domains.has(file.domain)) this.#domains.set(file.domain, domain);
    this.#setCountDenied(document, file, domain);
    this.#addRules(document, file.descriptors, domain.root, { path: file.domain, metricVaries: false });
  }

  /** Files of one domain must not contradict each other; which of them came first would decide. */
  #setCountDenied({ source }: ParsedDocument, file: FileDraft, domain: OpenDomain): void {
    if (file.count_denied === null) return;
    if (domain.countDenied !== null && domain.countDenied !== file.count_denied) {
      const message = `count_denied is ${domain.countDenied} in another file of domain '${file.domain}'`;
      this.#problems.add(source, placeOf(file, 'count_denied'), message, 'say it in one of them');
    }
    domain.countDenied = file.count_denied;
  }

  ruleset(): Ruleset {
    const domains = new Map(
      [...this.#domains].map(([name, { countDenied, root }]): [string, Domain] => [
        name,
        { name, countDenied, root: closed(root) },
      ]),
    );
    return { generation: this.#options.generation, domains, rules: this.#rules };
  }

  #addRules(document: ParsedDocument, drafts: readonly RuleDraft[], level: CheckedLevel, above: Above): void {
    for (const draft of drafts) {
      if (this.#problems.full) return;
      this.#addRule(document, draft, level, above);
    }
  }

  #addRule(document: ParsedDocument, draft: RuleDraft, level: CheckedLevel, above: Above): void {
    const text = draft.value === '' ? draft.key : `${draft.key}_${draft.value}`;
    const path = `${above.path}.${text}`;
    const at = positionOf(document, draft.node.at);
    this.#checkRule(document, draft, text, path, level);
    if (!level.texts.has(text)) level.texts.set(text, at);
    const metricVaries = above.metricVaries || draft.value_to_metric || draft.share_threshold;
    // Parents come before their children in the list, and are made after them.
    const slot = this.#rules.push(undefined as unknown as Rule) - 1;
    const below = draft.descriptors.length === 0 ? null : checkedLevel();
    if (below !== null) this.#addRules(document, draft.descriptors, below, { path, metricVaries });
    const said = draft.rate_limit;
    const rule: Rule = {
      key: draft.key,
      value: draft.value,
      text,
      path,
      limits: limitsOf(draft, this.#pool),
      unlimited: said?.unlimited ?? false,
      replaces: said?.replaces.map(({ name }) => name) ?? [],
      shadowMode: draft.shadow_mode,
      quotaMode: draft.quota_mode,
      detailedMetric: draft.detailed_metric,
      valueToMetric: draft.value_to_metric,
      shareThreshold: draft.share_threshold,
      hashValue: draft.hash_value,
      metricVaries,
      metadata: draft.metadata,
      onStoreFailure: policyOf(draft),
      children: below === null ? null : closed(below),
      at,
    };
    this.#rules[slot] = rule;
    place(rule, level);
  }

  /** In the order of the Go service's own checks. */
  #checkRule(document: ParsedDocument, draft: RuleDraft, text: string, path: string, level: CheckedLevel): void {
    const { source } = document;
    const refuse = (at: number, message: string, hint = ''): void => this.#problems.add(source, at, message, hint);
    if (draft.key === '') {
      if (draft.sound) refuse(placeOf(draft, 'key'), 'descriptor has empty key');
    } else {
      const first = level.texts.get(text);
      const hint = first && `it is in ${first.line === 0 ? first.file : `${first.file}:${first.line}`} already`;
      if (hint && draft.sound) refuse(draft.node.at, `duplicate descriptor composite key '${path}'`, hint);
    }
    checkLimits(draft, refuse);
    if (draft.on_store_failure !== '') this.#checkPolicy(document, draft);
    if (draft.hash_value && this.#options.canHash === false) {
      const hint = 'set HASH_VALUE_SECRET or HASH_VALUE_SECRET_FILE, the same for every process';
      refuse(placeOf(draft, 'hash_value'), 'hash_value needs a secret, and the service has none', hint);
    }
    if (draft.share_threshold && draft.sound && !text.includes('*')) {
      refuse(
        placeOf(draft, 'share_threshold'),
        `share_threshold can only be used with wildcard values (containing '*'), but found key '${text}'`,
      );
    }
  }

  #checkPolicy({ source }: ParsedDocument, draft: RuleDraft): void {
    const at = placeOf(draft, 'on_store_failure');
    if (policyOf(draft) === null) {
      const message = `invalid on_store_failure '${draft.on_store_failure}'`;
      this.#problems.add(source, at, message, wordHint(draft.on_store_failure, FAILURE_POLICIES));
    } else if (draft.rate_limit === null && draft.rate_limits === null && draft.sound) {
      const hint = 'write it at each rule below that has one';
      this.#problems.add(source, at, 'on_store_failure needs a rate_limit beside it', hint);
    }
  }
}

function policyOf(draft: RuleDraft): FailurePolicy | null {
  return FAILURE_POLICIES.find((policy) => policy === draft.on_store_failure) ?? null;
}

function positionOf({ source }: ParsedDocument, at: number): Position {
  return { file: source.file, ...source.place(at) };
}

function checkedLevel(): CheckedLevel {
  return { ...openLevel(), texts: new Map() };
}
