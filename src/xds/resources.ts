import type { Problem, RulesDocument } from '../core/ports.ts';
import { Problems } from '../rules/problem.ts';
import { resourceDocument } from '../rules/resource.ts';
import { type DiscoveryResponse, resourceOf, TYPE_URL } from './discovery.ts';

/** What a response holds. `documents` are of use when there are no problems. */
export interface ReadResponse {
  readonly documents: readonly RulesDocument[];
  readonly problems: readonly Problem[];
}

/** The whole set that a response holds: one document for each resource, in the order of names, as they come in any. */
export function readResponse({ type_url: type = '', resources = [] }: DiscoveryResponse): ReadResponse {
  const problems = new Problems();
  const documents: RulesDocument[] = [];
  if (type !== TYPE_URL) problems.addWhole('response', `is of type '${type}', asked was '${TYPE_URL}'`);
  for (const [i, { type_url: url = '', value = new Uint8Array() }] of resources.entries()) {
    const name = `resource ${i + 1}`;
    if (url !== TYPE_URL) {
      problems.addWhole(name, `is of type '${url}', not '${TYPE_URL}'`);
      continue;
    }
    try {
      const read = resourceDocument(resourceOf(value));
      problems.addAll(read.problems);
      documents.push(read.document.name === '' ? { ...read.document, name } : read.document);
    } catch (error) {
      // Whatever a decoder throws at, it is the bytes.
      problems.addWhole(name, `cannot be decoded: ${(error as Error).message}`);
    }
  }
  documents.sort((a, b) => (a.name < b.name ? -1 : a.name > b.name ? 1 : 0));
  return { documents, problems: problems.all };
}
