{{- define "weir.name" -}}
{{- default .Chart.Name .Values.nameOverride | trunc 63 | trimSuffix "-" -}}
{{- end -}}

{{- define "weir.fullname" -}}
{{- if .Values.fullnameOverride -}}
{{- .Values.fullnameOverride | trunc 63 | trimSuffix "-" -}}
{{- else -}}
{{- /* A release may have dots in its name, a Service not. */ -}}
{{- $name := include "weir.name" . -}}
{{- ternary .Release.Name (printf "%s-%s" .Release.Name $name) (contains $name .Release.Name) | replace "." "-" | trunc 63 | trimSuffix "-" -}}
{{- end -}}
{{- end -}}

{{- define "weir.selector" -}}
app.kubernetes.io/name: {{ include "weir.name" . | quote }}
app.kubernetes.io/instance: {{ .Release.Name | quote }}
{{- end -}}

{{- define "weir.labels" -}}
{{ include "weir.selector" . }}
app.kubernetes.io/version: {{ .Chart.AppVersion | quote }}
app.kubernetes.io/managed-by: {{ .Release.Service | quote }}
helm.sh/chart: {{ printf "%s-%s" .Chart.Name .Chart.Version | replace "+" "_" }}
{{- end -}}

{{- /* (root, more): labels of the chart and of the values. What selects pods stays as it is. */ -}}
{{- define "weir.labelsAnd" -}}
{{- $root := index . 0 -}}
{{- merge (include "weir.selector" $root | fromYaml) (index . 1 | default dict) (include "weir.labels" $root | fromYaml) | toYaml -}}
{{- end -}}

{{- define "weir.serviceAccount" -}}
{{- if .Values.serviceAccount.create -}}
{{- default (include "weir.fullname" .) .Values.serviceAccount.name -}}
{{- else -}}
{{- default "default" .Values.serviceAccount.name -}}
{{- end -}}
{{- end -}}

{{- define "weir.rulesConfigMap" -}}
{{- default (printf "%s-rules" (include "weir.fullname" .)) .Values.rules.existingConfigMap -}}
{{- end -}}

{{- /* With an answer of their own for a Redis that is away, pods must stay when it goes. */ -}}
{{- define "weir.readinessPath" -}}
{{- $failure := .Values.settings.STORE_FAILURE | default "error" -}}
{{- .Values.probes.readinessPath | default (ternary "/readyz" "/healthcheck" (eq $failure "error")) -}}
{{- end -}}
