/**
 * Shapes of custom kinds as far as this project uses them, from the pages of those who define them. Their own definitions
 * can't be had by the tests: these refuse a misspelled word, and know no more than what is written here.
 */
type Schema = { readonly [word: string]: unknown };

const text: Schema = { type: 'string', minLength: 1 };
const bool: Schema = { type: 'boolean' };
const port: Schema = { type: 'integer', minimum: 1, maximum: 65_535 };
const time: Schema = { type: 'string', pattern: '^\\d+(\\.\\d+)?(ms|s|m|h)$' };
const texts: Schema = { type: 'object', additionalProperties: { type: 'string' } };

/** An object with these words; those after a `?` may be left out, and no other is known. */
function object(words: Readonly<Record<string, Schema>>): Schema {
  const names = Object.keys(words);
  const properties = Object.fromEntries(names.map((name) => [name.replace('?', ''), words[name]]));
  return {
    type: 'object',
    additionalProperties: false,
    required: names.filter((name) => !name.startsWith('?')),
    properties,
  };
}
const list = (items: Schema): Schema => ({ type: 'array', minItems: 1, items });
const oneOf = (...words: readonly unknown[]): Schema => ({ enum: words });
/** An object of Envoy's API, which a real Envoy checks. */
const ofEnvoy: Schema = { type: 'object' };
const metadata = object({ name: text, '?namespace': text, '?labels': texts, '?annotations': texts });
const named = object({ name: text, namespace: text });
const httpRoute = object({
  group: oneOf('gateway.networking.k8s.io'),
  kind: oneOf('HTTPRoute', 'Gateway'),
  name: text,
});

function kind(
  apiVersion: string,
  name: string,
  rest: Readonly<Record<string, Schema>>,
): Readonly<Record<string, Schema>> {
  const schema = object({ apiVersion: oneOf(apiVersion), kind: oneOf(name), '?metadata': metadata, ...rest });
  return { [`${apiVersion} ${name}`]: schema };
}

const rule: Schema = {
  oneOf: [
    object({ record: text, expr: text, '?labels': texts }),
    object({
      alert: text,
      expr: text,
      '?for': time,
      '?keep_firing_for': time,
      '?labels': texts,
      '?annotations': texts,
    }),
  ],
};

/** `apiVersion kind` -> schema. */
export const CUSTOM: Readonly<Record<string, Schema>> = {
  ...kind('monitoring.coreos.com/v1', 'ServiceMonitor', {
    spec: object({
      selector: object({ matchLabels: texts }),
      '?namespaceSelector': object({ matchNames: list(text) }),
      endpoints: list(object({ port: text, path: text, '?interval': time, '?scrapeTimeout': time })),
    }),
  }),
  ...kind('monitoring.coreos.com/v1', 'PrometheusRule', {
    spec: object({ groups: list(object({ name: text, '?interval': time, rules: list(rule) })) }),
  }),
  ...kind('networking.istio.io/v1alpha3', 'EnvoyFilter', {
    spec: object({
      workloadSelector: object({ labels: texts }),
      configPatches: list(
        object({
          applyTo: oneOf('HTTP_FILTER', 'VIRTUAL_HOST', 'CLUSTER'),
          match: object({ context: oneOf('GATEWAY', 'SIDECAR_INBOUND'), '?listener': ofEnvoy }),
          patch: object({ operation: oneOf('INSERT_BEFORE', 'MERGE', 'ADD'), value: ofEnvoy }),
        }),
      ),
    }),
  }),
  ...kind('projectcontour.io/v1alpha1', 'ExtensionService', {
    spec: object({
      protocol: oneOf('h2', 'h2c'),
      services: list(object({ name: text, port, '?weight': { type: 'integer' } })),
      '?timeoutPolicy': object({ response: time }),
    }),
  }),
  ...kind('projectcontour.io/v1alpha1', 'ContourConfiguration', {
    spec: object({
      rateLimitService: object({
        extensionService: named,
        domain: text,
        '?failOpen': bool,
        '?enableXRateLimitHeaders': bool,
        '?enableResourceExhaustedCode': bool,
      }),
    }),
  }),
  ...kind('projectcontour.io/v1', 'HTTPProxy', {
    spec: object({
      virtualhost: object({
        fqdn: text,
        rateLimitPolicy: object({
          global: object({
            descriptors: list(
              object({
                entries: list(
                  object({
                    '?remoteAddress': object({}),
                    '?genericKey': object({ '?key': text, value: text }),
                    '?requestHeader': object({ headerName: text, descriptorKey: text }),
                  }),
                ),
              }),
            ),
          }),
        }),
      }),
      routes: list(object({ services: list(object({ name: text, port })) })),
    }),
  }),
  ...kind('gateway.envoyproxy.io/v1alpha1', 'EnvoyGateway', {
    gateway: object({ controllerName: text }),
    provider: object({
      type: oneOf('Kubernetes'),
      kubernetes: object({
        rateLimitDeployment: object({
          '?replicas': { type: 'integer' },
          container: object({ image: text, '?env': list(object({ name: text, value: text })) }),
        }),
      }),
    }),
    rateLimit: object({
      backend: object({ type: oneOf('Redis'), redis: object({ url: text }) }),
      '?failClosed': bool,
      '?timeout': time,
    }),
  }),
  ...kind('gateway.envoyproxy.io/v1alpha1', 'BackendTrafficPolicy', {
    spec: object({
      targetRefs: list(httpRoute),
      rateLimit: object({
        type: oneOf('Global', 'Local'),
        global: object({
          rules: list(
            object({
              '?clientSelectors': list(
                object({ '?sourceCIDR': object({ type: oneOf('Exact', 'Distinct'), value: text }) }),
              ),
              limit: object({
                requests: { type: 'integer' },
                unit: oneOf('Second', 'Minute', 'Hour', 'Day', 'Month', 'Year'),
              }),
            }),
          ),
        }),
      }),
    }),
  }),
  ...kind('gateway.kgateway.dev/v1alpha1', 'GatewayExtension', {
    spec: object({
      type: oneOf('RateLimit'),
      rateLimit: object({
        grpcService: object({ backendRef: object({ name: text, '?namespace': text, port }) }),
        domain: text,
        '?timeout': time,
        '?failOpen': bool,
      }),
    }),
  }),
  ...kind('gateway.kgateway.dev/v1alpha1', 'TrafficPolicy', {
    spec: object({
      targetRefs: list(httpRoute),
      rateLimit: object({
        global: object({
          descriptors: list(
            object({
              entries: list(
                object({
                  type: oneOf('RemoteAddress', 'Path', 'Header', 'Generic'),
                  '?header': text,
                  '?generic': object({ key: text, value: text }),
                }),
              ),
            }),
          ),
          extensionRef: object({ name: text, '?namespace': text }),
        }),
      }),
    }),
  }),
};
