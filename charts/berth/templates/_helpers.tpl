{{/* Names: `berth-operator` for a release called berth, `prod-berth-operator` for one called prod. Two releases never have the
     same: prod-berth is `prod-berth`, not `prod-berth-operator`; what is too long, or no name of a Service (a digit first, a dot), is
     changed and gets a hash. With what is appended ("-metrics", "-router", "-test") it fits into 63 characters. */}}
{{- define "berth.fullname" -}}
{{- $name := .Values.nameOverride | default "berth" -}}
{{- $isPlain := regexMatch "^[a-z][-a-z0-9]*$" .Release.Name -}}
{{- if .Values.fullnameOverride -}}
{{ .Values.fullnameOverride }}
{{- else if and $isPlain (hasSuffix (printf "-%s" $name) .Release.Name) -}}
{{ .Release.Name }}
{{- else -}}
{{- $whole := contains $name .Release.Name | ternary .Release.Name (printf "%s-%s" .Release.Name $name) -}}
{{- $hash := printf "%s/%s" .Release.Name $name | sha256sum | trunc 8 -}}
{{- if not $isPlain -}}
{{- $whole = printf "berth-%s-%s" ($whole | replace "." "-" | trunc 31 | trimSuffix "-") $hash -}}
{{- else if gt (len $whole) 46 -}}
{{- $whole = printf "%s-%s" ($whole | trunc 37 | trimSuffix "-") $hash -}}
{{- end -}}
{{ $whole }}-operator
{{- end -}}
{{- end -}}

{{/* What is not in the release's own namespace has that in its name: a release of the same name elsewhere has its own. No
     name of a namespace has a colon. Called with the root and what is appended. */}}
{{- define "berth.sharedName" -}}
{{- $root := first . -}}
{{ include "berth.fullname" $root }}{{ last . }}:{{ $root.Release.Namespace }}
{{- end -}}

{{- define "berth.selector" -}}
app.kubernetes.io/name: berth-operator
app.kubernetes.io/instance: {{ .Release.Name | quote }}
{{- end -}}

{{- define "berth.labels" -}}
{{ include "berth.selector" . }}
app.kubernetes.io/version: {{ include "berth.labelValue" .Chart.AppVersion }}
app.kubernetes.io/part-of: berth
app.kubernetes.io/managed-by: {{ .Release.Service }}
helm.sh/chart: {{ include "berth.labelValue" (printf "%s-%s" .Chart.Name .Chart.Version) }}
{{- end -}}

{{/* A version such as 1.2.0+build.7 has what no label may. */}}
{{- define "berth.labelValue" -}}
{{ regexReplaceAll "[^A-Za-z0-9._-]" . "_" | trunc 63 | regexFind "^.*[A-Za-z0-9]" | quote }}
{{- end -}}

{{/* An image value: by its digest where it has one, else with the chart's version for an empty tag. */}}
{{- define "berth.image" -}}
{{- if .image.digest -}}
{{ .image.repository }}{{ with .image.tag }}:{{ . }}{{ end }}@{{ .image.digest }}
{{- else -}}
{{ .image.repository }}:{{ .image.tag | default .version }}
{{- end -}}
{{- end -}}

{{/* A duration such as 1m30s in milliseconds. */}}
{{- define "berth.milliseconds" -}}
{{- $total := 0 -}}
{{- range regexFindAll "[0-9]+(ms|s|m|h)" . -1 -}}
{{- $unit := regexFind "[a-z]+" . -}}
{{- $total = add $total (mul (regexFind "[0-9]+" . | int64) (get (dict "ms" 1 "s" 1000 "m" 60000 "h" 3600000) $unit)) -}}
{{- end -}}
{{ $total }}
{{- end -}}

{{/* A quantity such as 512Mi, .5 or 1e3 as a number. */}}
{{- define "berth.amount" -}}
{{- $text := toString . -}}
{{- $number := regexFind "^[+]?[0-9.]+([eE][-+]?[0-9]+)?" $text -}}
{{- $powers := dict "n" 1e-9 "u" 1e-6 "m" 1e-3 "k" 1e3 "M" 1e6 "G" 1e9 "T" 1e12 "P" 1e15 "E" 1e18 -}}
{{- $unit := trimPrefix $number $text -}}
{{- $factor := get $powers $unit | default 1 -}}
{{- range $index, $prefix := list "Ki" "Mi" "Gi" "Ti" "Pi" "Ei" -}}
{{- if eq $prefix $unit -}}
{{- range until (add1 $index | int) -}}
{{- $factor = mulf $factor 1024 -}}
{{- end -}}
{{- end -}}
{{- end -}}
{{ mulf (float64 $number) $factor }}
{{- end -}}

{{/* Fails where a limit is below its request. Called with resources, and with how the values call them. */}}
{{- define "berth.checkResources" -}}
{{- $resources := first . -}}
{{- range $name, $limit := $resources.limits -}}
{{- $request := get ($resources.requests | default dict) $name | toString | default "0" -}}
{{- if lt (include "berth.amount" $limit | float64) (include "berth.amount" $request | float64) -}}
{{- fail (printf "%s.limits.%s %v is less than %s.requests.%s %v" (last $) $name $limit (last $) $name $request) -}}
{{- end -}}
{{- end -}}
{{- end -}}

{{/* Empty where the text is no address and no range of addresses. */}}
{{- define "berth.isRange" -}}
{{- $byte := "(25[0-5]|2[0-4][0-9]|1[0-9][0-9]|[1-9]?[0-9])" -}}
{{- $ipv4 := printf "%s([.]%s){3}" $byte $byte -}}
{{- $group := "[0-9A-Fa-f]{1,4}" -}}
{{- $address := first (splitList "/" .) -}}
{{- if regexMatch (printf "^%s(/(3[0-2]|[12]?[0-9]))?$" $ipv4) . -}}
true
{{- else if regexMatch "^[0-9A-Fa-f:.]*:[0-9A-Fa-f:.]*(/(12[0-8]|1[01][0-9]|[1-9]?[0-9]))?$" . -}}
{{- /* an IPv4 address at the end stands for two groups, and :: for one and more */ -}}
{{- $groups := regexReplaceAll (printf ":%s$" $ipv4) $address ":0:0" -}}
{{- $halves := splitList "::" $groups -}}
{{- $count := regexFindAll $group $groups -1 | len -}}
{{- $isWhole := regexMatch (printf "^(%s(:%s)*)?(::)?(%s(:%s)*)?$" $group $group $group $group) $groups -}}
{{- if and $isWhole (or (and (eq (len $halves) 1) (eq $count 8)) (and (eq (len $halves) 2) (lt $count 8))) -}}
true
{{- end -}}
{{- end -}}
{{- end -}}

{{/* What values.schema.json cannot say: values that fit one by one, and not together. */}}
{{- define "berth.check" -}}
{{- if eq (toString .Values.enabled) "false" -}}
{{- fail "enabled: false has no effect here: it is for the `condition: berth.enabled` of a parent chart" -}}
{{- end -}}
{{- include "berth.checkResources" (list (.Values.resources | default dict) "resources") -}}
{{- include "berth.checkResources" (list .Values.router.resources "router.resources") -}}
{{- with .Values.router -}}
{{- $memory := get (.resources.limits | default dict) "memory" -}}
{{- if and $memory (lt (include "berth.amount" $memory | float64) (include "berth.amount" "512Mi" | float64)) -}}
{{- fail (printf "router.resources.limits.memory must be at least 512Mi, not %v: a router would be killed under load" $memory) -}}
{{- end -}}
{{- if not (has .trustForwarded (list "none" "all")) -}}
{{- range splitList "," .trustForwarded -}}
{{- if not (include "berth.isRange" (trim .)) -}}
{{- fail (printf "router.trustForwarded: %q is neither an address nor a range such as 10.0.0.0/8 or fd00::/8" (trim .)) -}}
{{- end -}}
{{- end -}}
{{- end -}}
{{- end -}}
{{- with .Values.leaderElection -}}
{{- $lease := include "berth.milliseconds" .leaseDuration | int64 -}}
{{- $deadline := include "berth.milliseconds" .renewDeadline | int64 -}}
{{- $retry := include "berth.milliseconds" .retryPeriod | int64 -}}
{{- if or (eq $lease 0) (ne (mod $lease 1000) 0) -}}
{{- fail "leaderElection.leaseDuration must be whole seconds, at least 1s" -}}
{{- end -}}
{{- if or (lt $lease 0) (gt $lease 86400000) -}}
{{- fail "leaderElection.leaseDuration must be at most 24h" -}}
{{- end -}}
{{- if ge $deadline $lease -}}
{{- fail "leaderElection.renewDeadline must be shorter than leaderElection.leaseDuration, or two could lead" -}}
{{- end -}}
{{- if or (eq $retry 0) (ge (mul $retry 12) (mul $deadline 10)) -}}
{{- fail "leaderElection.retryPeriod must be above 0 and, with its jitter (× 1.2), shorter than leaderElection.renewDeadline" -}}
{{- end -}}
{{- end -}}
{{- end -}}
