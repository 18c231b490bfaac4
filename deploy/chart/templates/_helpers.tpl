{{- define "daybook.labels" -}}
app.kubernetes.io/name: daybook
app.kubernetes.io/instance: {{ .root.Release.Name }}
app.kubernetes.io/component: {{ .role }}
app.kubernetes.io/version: {{ .root.Chart.AppVersion | quote }}
app.kubernetes.io/managed-by: {{ .root.Release.Service }}
{{- end }}

{{- define "daybook.selector" -}}
app.kubernetes.io/name: daybook
app.kubernetes.io/instance: {{ .root.Release.Name }}
app.kubernetes.io/component: {{ .role }}
{{- end }}

{{/* The pod of a role or of the migration: neither root nor a place to write but /tmp and /data. */}}
{{- define "daybook.security" -}}
automountServiceAccountToken: false
enableServiceLinks: false
securityContext:
  runAsNonRoot: true
  runAsUser: 10001
  runAsGroup: 10001
  fsGroup: 10001
  seccompProfile: {type: RuntimeDefault}
{{- end }}

{{- define "daybook.container" -}}
image: {{ printf "%s:%s" .root.Values.image.repository (.root.Values.image.tag | default .root.Chart.AppVersion) | quote }}
imagePullPolicy: {{ .root.Values.image.pullPolicy }}
securityContext:
  readOnlyRootFilesystem: true
  allowPrivilegeEscalation: false
  capabilities: {drop: [ALL]}
{{- end }}

{{- define "daybook.environment" -}}
- {name: DAYBOOK_KAFKA, value: {{ required "kafka: where is it? host:port" .root.Values.kafka | quote }}}
- {name: DAYBOOK_SECRETS, value: /run/secrets/daybook}
- {name: DAYBOOK_KAFKA_SECURITY, value: {{ .root.Values.kafkaSecurity }}}
{{- if eq .root.Values.kafkaSecurity "sasl_ssl" }}
- {name: DAYBOOK_KAFKA_USER, value: daybook-{{ include "daybook.user" . }}}
{{- end }}
{{- if .root.Values.ca }}
- {name: DAYBOOK_CA, value: /run/secrets/daybook/ca.pem}
{{- end }}
{{- range $name, $value := .settings }}
- {name: {{ $name }}, value: {{ $value | quote }}}
{{- end }}
{{- end }}

{{/* As whom a role logs in at Kafka. */}}
{{- define "daybook.user" -}}
{{ has .role (list "migrate" "tools") | ternary "operator" .role }}
{{- end }}

{{/* Of the one Secret, what this role needs: its own login at Kafka; at PostgreSQL who migrates is the owner, the service a reader. */}}
{{- define "daybook.secrets" -}}
- name: secrets
  secret:
    secretName: {{ .root.Values.secretName }}
    defaultMode: 0440
    items:
      {{- if .root.Values.ca }}
      - {key: ca.pem, path: ca.pem}
      {{- end }}
      {{- if eq .root.Values.kafkaSecurity "sasl_ssl" }}
      - {key: kafka-{{ include "daybook.user" . }}, path: DAYBOOK_KAFKA_PASSWORD}
      {{- end }}
      - {key: DAYBOOK_POSTGRES-{{ eq .role "migrate" | ternary "owner" (eq .role "api" | ternary "reader" "writer") }}, path: DAYBOOK_POSTGRES}
      - {key: DAYBOOK_CLICKHOUSE, path: DAYBOOK_CLICKHOUSE}
      - {key: DAYBOOK_REDIS-{{ eq .role "api" | ternary "reader" "writer" }}, path: DAYBOOK_REDIS}
      - {key: DAYBOOK_ERASURE_KEY, path: DAYBOOK_ERASURE_KEY}
      {{- if has .role (list "api" "tools") }}
      - {key: DAYBOOK_API_SIGNING_KEY, path: DAYBOOK_API_SIGNING_KEY}
      {{- end }}
{{- end }}

{{- define "daybook.mounts" -}}
- {name: secrets, mountPath: /run/secrets/daybook, readOnly: true}
- {name: tmp, mountPath: /tmp}
- {name: data, mountPath: /data}
{{- end }}
