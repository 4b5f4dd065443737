{{/* Name of the release, as everything is called after. */}}
{{- define "ecgstream.name" -}}
{{- if contains "ecgstream" .Release.Name }}{{ .Release.Name | trunc 40 | trimSuffix "-" }}{{ else }}{{ printf "%s-ecgstream" .Release.Name | trunc 40 | trimSuffix "-" }}{{ end }}
{{- end }}

{{/* Labels by which a service's pods are chosen: of (dict "root" . "service" NAME). */}}
{{- define "ecgstream.chosen" -}}
app.kubernetes.io/name: ecgstream
app.kubernetes.io/instance: {{ .root.Release.Name }}
app.kubernetes.io/component: {{ .service }}
{{- end }}

{{- define "ecgstream.labels" -}}
{{ include "ecgstream.chosen" . }}
app.kubernetes.io/version: {{ .root.Chart.AppVersion | quote }}
app.kubernetes.io/managed-by: {{ .root.Release.Service }}
{{- end }}

{{/* The environment: a service gets the settings that it reads. */}}
{{- define "ecgstream.environment" -}}
{{- $own := index .root.Values .service -}}
{{- $read := index (.root.Files.Get "settings.yaml" | fromYaml) .service -}}
{{- range $name := concat (keys $own.settings) (keys $own.secrets) -}}
{{- if not (has $name $read) }}{{ fail (printf "%s.settings or .secrets: %s reads no %s: see docs/operations.md" $.service $.service $name) }}{{ end -}}
{{- end -}}
{{- $settings := merge (dict) $own.settings .root.Values.settings -}}
{{- $secrets := merge (dict) $own.secrets .root.Values.secrets -}}
- {name: ECGSTREAM_HEALTH_HOST, value: 0.0.0.0}
- {name: ECGSTREAM_HEALTH_PORT, value: "9400"}
{{- if eq .service "web" }}
- {name: ECGSTREAM_WEB_HOST, value: 0.0.0.0}
- {name: ECGSTREAM_WEB_PORT, value: "8000"}
{{- end }}
{{- if eq .service "gateway" }}
- {name: ECGSTREAM_GATEWAY_HOST, value: 0.0.0.0}
- {name: ECGSTREAM_GATEWAY_PORT, value: "8010"}
{{- end }}
{{- if has .service (list "detector" "alerting" "gateway") }}
# Stable and unique: a pod that comes back is the member of the group that it was.
- name: ECGSTREAM_INSTANCE
  valueFrom: {fieldRef: {fieldPath: metadata.name}}
{{- end }}
{{- range $name := $read }}
{{- if hasKey $secrets $name }}
- name: {{ $name }}
  valueFrom: {secretKeyRef: {name: {{ (index $secrets $name).name | quote }}, key: {{ (index $secrets $name).key | quote }}}}
{{- else if hasKey $settings $name }}
- {name: {{ $name }}, value: {{ index $settings $name | toString | quote }}}
{{- end }}
{{- end }}
{{- end }}

{{/* The pod: of (dict "root" . "service" NAME "arguments" LIST). */}}
{{- define "ecgstream.pod" -}}
{{- $values := .root.Values -}}
{{- $serves := ne .service "topics" -}}
metadata:
  labels:
    {{- include "ecgstream.labels" . | nindent 4 }}
spec:
  automountServiceAccountToken: false
  enableServiceLinks: false
  terminationGracePeriodSeconds: 30
  {{- with $values.image.pullSecrets }}
  imagePullSecrets: {{ toJson . }}
  {{- end }}
  {{- if not $serves }}
  restartPolicy: OnFailure
  {{- end }}
  securityContext:
    runAsNonRoot: true
    runAsUser: 10001
    runAsGroup: 10001
    fsGroup: 10001
    seccompProfile: {type: RuntimeDefault}
  {{- if $serves }}
  topologySpreadConstraints:
    - maxSkew: 1
      topologyKey: kubernetes.io/hostname
      whenUnsatisfiable: ScheduleAnyway
      labelSelector:
        matchLabels:
          {{- include "ecgstream.chosen" . | nindent 10 }}
  {{- end }}
  containers:
    - name: {{ .service }}
      image: {{ if $values.image.digest }}{{ printf "%s@%s" $values.image.repository $values.image.digest }}{{ else }}{{ printf "%s:%s" $values.image.repository ($values.image.tag | default .root.Chart.AppVersion) }}{{ end }}
      imagePullPolicy: {{ $values.image.pullPolicy }}
      args: {{ toJson .arguments }}
      env:
        {{- include "ecgstream.environment" . | nindent 8 }}
      {{- if $serves }}
      ports:
        - {name: health, containerPort: 9400}
        {{- if eq .service "web" }}
        - {name: http, containerPort: 8000}
        {{- else if eq .service "gateway" }}
        - {name: http, containerPort: 8010}
        {{- end }}
      # A start reads the models, waits for Kafka and takes its partitions.
      startupProbe:
        httpGet: {path: /healthz, port: health}
        periodSeconds: 2
        failureThreshold: 60
      readinessProbe:
        httpGet: {path: /readyz, port: health}
        periodSeconds: 5
        timeoutSeconds: 5
      livenessProbe:
        httpGet: {path: /healthz, port: health}
        periodSeconds: 15
        timeoutSeconds: 5
        failureThreshold: 4
      {{- end }}
      resources: {{ toJson (index $values .service).resources }}
      securityContext:
        allowPrivilegeEscalation: false
        readOnlyRootFilesystem: true
        capabilities: {drop: [ALL]}
      volumeMounts:
        - {name: tmp, mountPath: /tmp}
        {{- if has .service (list "alerting" "web") }}
        - {name: state, mountPath: /var/lib/ecgstream}
        {{- end }}
        {{- if $values.files.configMap }}
        - {name: config, mountPath: /etc/ecgstream, readOnly: true}
        {{- end }}
        {{- if $values.files.secret }}
        - {name: secrets, mountPath: /etc/ecgstream-secrets, readOnly: true}
        {{- end }}
  volumes:
    - name: tmp
      emptyDir: {medium: Memory, sizeLimit: 64Mi}
    {{- if eq .service "alerting" }}
    - name: state
      emptyDir: {}
    {{- else if eq .service "web" }}
    - name: state
      {{- if $values.web.existingClaim }}
      persistentVolumeClaim: {claimName: {{ $values.web.existingClaim | quote }}}
      {{- else }}
      emptyDir: {}
      {{- end }}
    {{- end }}
    {{- with $values.files.configMap }}
    - name: config
      configMap: {name: {{ . | quote }}}
    {{- end }}
    {{- with $values.files.secret }}
    - name: secrets
      secret: {secretName: {{ . | quote }}, defaultMode: 0440}
    {{- end }}
{{- end }}
