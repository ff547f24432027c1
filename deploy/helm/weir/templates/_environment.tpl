{{- /* NAME -> value of everything that the values say of weir's settings. YAML of a map, for fromYaml. */ -}}
{{- define "weir.environment" -}}
{{- $v := .Values -}}
HOST: "0.0.0.0"
PORT: "8080"
GRPC_HOST: "0.0.0.0"
GRPC_PORT: "8081"
DEBUG_HOST: "0.0.0.0"
DEBUG_PORT: "6070"
GRPC_TRANSPORT: {{ $v.grpc.transport | quote }}
GRPC_MAX_CONNECTION_AGE: {{ $v.grpc.maxConnectionAge | quote }}
DRAIN_DELAY: {{ printf "%ds" (int $v.drain.delaySeconds) | quote }}
DRAIN_TIMEOUT: {{ printf "%ds" (int $v.drain.timeoutSeconds) | quote }}
LOCAL_FALLBACK_SHARE: {{ ternary $v.autoscaling.maxReplicas $v.replicas $v.autoscaling.enabled | int | max 1 | toString | quote }}
{{- if $v.redis.enabled }}
{{ include "weir.redisEnvironment" (dict "prefix" "REDIS_" "folder" "redis" "redis" $v.redis) }}
{{- with $v.redis.db }}
REDIS_DB: {{ int . | toString | quote }}
{{- end }}
{{- if $v.perSecondRedis.enabled }}
REDIS_PERSECOND: "true"
{{ include "weir.redisEnvironment" (dict "prefix" "REDIS_PERSECOND_" "folder" "redis-persecond" "redis" $v.perSecondRedis) }}
{{- end }}
{{- with $v.redis.tls }}
{{- if .caSecret }}
REDIS_TLS_CACERT: {{ printf "/etc/weir/redis-ca/%s" .caKey | quote }}
{{- end }}
{{- if .clientSecret }}
REDIS_TLS_CLIENT_CERT: /etc/weir/redis-client/tls.crt
REDIS_TLS_CLIENT_KEY: /etc/weir/redis-client/tls.key
{{- end }}
{{- if .skipHostnameVerification }}
REDIS_TLS_SKIP_HOSTNAME_VERIFICATION: "true"
{{- end }}
{{- end }}
{{- else }}
BACKEND_TYPE: memory
{{- end }}
{{- with $v.rules.xds }}
{{- if .enabled }}
CONFIG_TYPE: GRPC_XDS_SOTW
CONFIG_GRPC_XDS_SERVER_URL: {{ required "rules.xds.server: host:port of the control plane" .server | quote }}
CONFIG_GRPC_XDS_NODE_ID: {{ .nodeId | quote }}
{{- if .tls.enabled }}
CONFIG_GRPC_XDS_SERVER_USE_TLS: "true"
{{- if .tls.caSecret }}
CONFIG_GRPC_XDS_SERVER_TLS_CACERT: {{ printf "/etc/weir/xds-ca/%s" .tls.caKey | quote }}
{{- end }}
{{- if .tls.clientSecret }}
CONFIG_GRPC_XDS_CLIENT_TLS_CERT: /etc/weir/xds-client/tls.crt
CONFIG_GRPC_XDS_CLIENT_TLS_KEY: /etc/weir/xds-client/tls.key
{{- end }}
{{- if .tls.serverName }}
CONFIG_GRPC_XDS_SERVER_TLS_SAN: {{ .tls.serverName | quote }}
{{- end }}
{{- end }}
{{- else }}
RULES: /etc/weir/rules
{{- end }}
{{- end }}
{{- with $v.grpc.tls }}
{{- if .enabled }}
GRPC_SERVER_USE_TLS: "true"
GRPC_SERVER_TLS_CERT: /etc/weir/grpc/tls.crt
GRPC_SERVER_TLS_KEY: /etc/weir/grpc/tls.key
{{- if .clientCaSecret }}
GRPC_CLIENT_TLS_CACERT: {{ printf "/etc/weir/grpc-clients/%s" .clientCaKey | quote }}
{{- end }}
{{- if .clientName }}
GRPC_CLIENT_TLS_SAN: {{ .clientName | quote }}
{{- end }}
{{- end }}
{{- end }}
{{- if $v.hashValue.existingSecret }}
HASH_VALUE_SECRET_FILE: {{ printf "/etc/weir/hash-value/%s" $v.hashValue.key | quote }}
{{- end }}
{{- if $v.adminToken.existingSecret }}
ADMIN_TOKEN_FILE: {{ printf "/etc/weir/admin-token/%s" $v.adminToken.key | quote }}
{{- end }}
{{- end -}}

{{- /* What the main Redis and the one for seconds have alike. */ -}}
{{- define "weir.redisEnvironment" -}}
{{- $redis := .redis -}}
{{ .prefix }}TYPE: {{ $redis.type | quote }}
{{ .prefix }}URL: {{ required "redis.url and, where it is enabled, perSecondRedis.url" $redis.url | quote }}
{{- if $redis.tls.enabled }}
{{ .prefix }}TLS: "true"
{{- end }}
{{- with $redis.auth }}
{{- if .file }}
{{ $.prefix }}AUTH_FILE: {{ .file | quote }}
{{- else if and .existingSecret (not .inEnvironment) }}
{{ $.prefix }}AUTH_FILE: {{ printf "/etc/weir/%s-auth/%s" $.folder .key | quote }}
{{- end }}
{{- end }}
{{- with $redis.sentinelAuth }}
{{- if .file }}
{{ $.prefix }}SENTINEL_AUTH_FILE: {{ .file | quote }}
{{- else if and .existingSecret (not .inEnvironment) }}
{{ $.prefix }}SENTINEL_AUTH_FILE: {{ printf "/etc/weir/%s-sentinel-auth/%s" $.folder .key | quote }}
{{- end }}
{{- end }}
{{- end -}}

{{- /* Passwords that are wanted in the environment: NAME -> {name, key} of a Secret. */ -}}
{{- define "weir.secretEnvironment" -}}
{{- if .Values.redis.enabled }}
{{- range $prefix, $redis := dict "REDIS_" .Values.redis "REDIS_PERSECOND_" .Values.perSecondRedis }}
{{- range $name, $auth := dict "AUTH" $redis.auth "SENTINEL_AUTH" $redis.sentinelAuth }}
{{- if and $auth.existingSecret $auth.inEnvironment (not $auth.file) (or (eq $prefix "REDIS_") $redis.enabled) }}
{{ $prefix }}{{ $name }}: { name: {{ $auth.existingSecret | quote }}, key: {{ $auth.key | quote }} }
{{- end }}
{{- end }}
{{- end }}
{{- end }}
{{- end -}}

{{- /* Folder below /etc/weir -> the Secret that is mounted there. */ -}}
{{- define "weir.secretMounts" -}}
{{- $v := .Values -}}
{{- if $v.redis.enabled }}
{{- range $folder, $redis := dict "redis" $v.redis "redis-persecond" $v.perSecondRedis }}
{{- range $name, $auth := dict "auth" $redis.auth "sentinel-auth" $redis.sentinelAuth }}
{{- if and $auth.existingSecret (not $auth.inEnvironment) (not $auth.file) (or (eq $folder "redis") $redis.enabled) }}
{{ $folder }}-{{ $name }}: {{ $auth.existingSecret | quote }}
{{- end }}
{{- end }}
{{- end }}
{{- with $v.redis.tls.caSecret }}
redis-ca: {{ . | quote }}
{{- end }}
{{- with $v.redis.tls.clientSecret }}
redis-client: {{ . | quote }}
{{- end }}
{{- end }}
{{- if and $v.rules.xds.enabled $v.rules.xds.tls.enabled }}
{{- with $v.rules.xds.tls.caSecret }}
xds-ca: {{ . | quote }}
{{- end }}
{{- with $v.rules.xds.tls.clientSecret }}
xds-client: {{ . | quote }}
{{- end }}
{{- end }}
{{- if $v.grpc.tls.enabled }}
grpc: {{ required "grpc.tls.secret: a Secret with tls.crt and tls.key" $v.grpc.tls.secret | quote }}
{{- with $v.grpc.tls.clientCaSecret }}
grpc-clients: {{ . | quote }}
{{- end }}
{{- end }}
{{- with $v.hashValue.existingSecret }}
hash-value: {{ . | quote }}
{{- end }}
{{- with $v.adminToken.existingSecret }}
admin-token: {{ . | quote }}
{{- end }}
{{- end -}}
