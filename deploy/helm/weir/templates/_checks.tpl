{{- /* Refuses values with which pods would not start, or would not hold the limits. */ -}}
{{- define "weir.checks" -}}
{{- $v := .Values -}}
{{- if and (not $v.redis.enabled) (or (kindIs "invalid" $v.replicas) (gt (int $v.replicas) 1) $v.autoscaling.enabled) -}}
{{- fail "without Redis every pod admits the whole limit: set replicas to 1 and leave autoscaling off" -}}
{{- end -}}
{{- if and $v.perSecondRedis.enabled (not $v.redis.enabled) -}}
{{- fail "perSecondRedis stands beside redis, which is not enabled" -}}
{{- end -}}
{{- $places := list (not (empty $v.rules.files)) (not (empty $v.rules.existingConfigMap)) $v.rules.xds.enabled -}}
{{- if gt (len (without $places false)) 1 -}}
{{- fail "rules come from one place: rules.files, rules.existingConfigMap or rules.xds" -}}
{{- end -}}
{{- range $name, $redis := dict "redis" $v.redis "perSecondRedis" $v.perSecondRedis -}}
{{- $several := contains "," (toString $redis.url) -}}
{{- if and $redis.enabled $redis.url (ne $several (ne $redis.type "single")) (ne $redis.type "cluster") -}}
{{- fail (printf "%s.url: of type %s it is %s" $name $redis.type (ternary "host:port" "master,host:port,host:port" (eq $redis.type "single"))) -}}
{{- end -}}
{{- end -}}
{{- if and $v.redis.enabled $v.redis.db (eq $v.redis.type "cluster") -}}
{{- fail "redis.db: a cluster has no database but 0" -}}
{{- end -}}
{{- if and $v.grpc.tls.enabled $v.grpc.tls.clientName (not $v.grpc.tls.clientCaSecret) -}}
{{- fail "grpc.tls.clientName: nobody is asked for a certificate without grpc.tls.clientCaSecret" -}}
{{- end -}}
{{- if and $v.autoscaling.enabled (gt (int $v.autoscaling.minReplicas) (int $v.autoscaling.maxReplicas)) -}}
{{- fail "autoscaling.minReplicas is more than autoscaling.maxReplicas" -}}
{{- end -}}
{{- if and $v.service.headless (ne $v.service.type "ClusterIP") -}}
{{- fail "service.headless leads to pods, which a Service of another type than ClusterIP cannot" -}}
{{- end -}}
{{- $names := list -}}
{{- range $v.extraEnv -}}
{{- if has .name (list "PORT" "GRPC_PORT" "DEBUG_PORT" "DRAIN_DELAY" "DRAIN_TIMEOUT") -}}
{{- fail (printf "extraEnv: a pod is built around %s, which has a value of its own or none" .name) -}}
{{- end -}}
{{- if has .name $names -}}
{{- fail (printf "extraEnv: %s is there twice, and Kubernetes takes a name once" .name) -}}
{{- end -}}
{{- $names = append $names .name -}}
{{- end -}}
{{- end -}}
