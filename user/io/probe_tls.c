/* SPDX-License-Identifier: BSD-2-Clause */
#include "io/probe_tls.h"

#include <errno.h>
#include <limits.h>
#include <openssl/err.h>
#include <openssl/ssl.h>
#include <openssl/x509v3.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "base/own.h"
#include "io/probe_kind.h"

struct authorities {
	char *path; /* "": those of the system */
	struct timespec changed;
	off_t size;
	ino_t inode;
	X509_STORE *store;
	struct authorities *next;
};

struct probe_tls_files {
	struct authorities *first;
};

/* ---- files -------------------------------------------------------------------------------------- */

static const char *file_fault(const char *path, struct stat *st)
{
	FILE *f = fopen(path, "re");

	if (!f || fstat(fileno(f), st) < 0) {
		int error = errno;

		if (f)
			fclose(f);
		return error == EACCES ? "probe_user may not read it, or look into its folder"
				       : strerror(error);
	}
	fclose(f);
	return S_ISREG(st->st_mode) ? NULL : S_ISDIR(st->st_mode) ? "is a directory" : "is no file";
}

static struct authorities *authorities_find(struct probe_tls_files *files, const char *path)
{
	struct authorities *a = files->first;

	while (a && strcmp(a->path, path) != 0)
		a = a->next;
	return a;
}

static struct authorities *authorities_add(struct probe_tls_files *files, const char *path)
{
	struct authorities *a = calloc(1, sizeof(*a));

	if (a)
		a->path = strdup(path);
	if (!a || !a->path) {
		free(a);
		return NULL;
	}
	a->next = files->first;
	files->first = a;
	return a;
}

static bool is_current(const struct authorities *a, const struct stat *st)
{
	return a->store && a->changed.tv_sec == st->st_mtim.tv_sec &&
	       a->changed.tv_nsec == st->st_mtim.tv_nsec && a->size == st->st_size &&
	       a->inode == st->st_ino;
}

/* Returns NULL, or why the authorities at @path cannot be used. */
static const char *authorities_load(struct authorities *a, const struct stat *st)
{
	X509_STORE *store = X509_STORE_new();
	int good;

	if (!store)
		return strerror(ENOMEM);
	good = a->path[0] ? X509_STORE_load_file(store, a->path)
			  : X509_STORE_set_default_paths(store);
	ERR_clear_error();
	if (!good) {
		X509_STORE_free(store);
		return "holds no certificate in PEM";
	}
	X509_STORE_free(a->store);
	a->store = store;
	a->changed = st->st_mtim;
	a->size = st->st_size;
	a->inode = st->st_ino;
	return NULL;
}

static X509_STORE *authorities_of(struct probe_tls_files *files, const char *path,
				  struct check_result *r)
{
	struct authorities *a = authorities_find(files, path);
	const char *fault = NULL;
	struct stat st = {0};

	if (path[0])
		fault = file_fault(path, &st);
	if (!a && !fault)
		a = authorities_add(files, path);
	if (!a && !fault)
		fault = strerror(ENOMEM);
	if (!fault && !is_current(a, &st))
		fault = authorities_load(a, &st);
	if (!fault)
		return a->store;
	probe_cannot_ask(r, "ca %.64s: %s", path, fault);
	return NULL;
}

/* Returns false, with @r, when certificate or key cannot be used. */
static bool show_certificate(SSL_CTX *ctx, const struct probe_question *q, struct check_result *r)
{
	const char *cert = probe_question_text(q, CONF_TEXT_CERT);
	const char *key = probe_question_text(q, CONF_TEXT_KEY);
	const char *fault;
	struct stat st;

	if (!cert[0])
		return true;
	if (!key[0])
		key = cert;
	fault = file_fault(cert, &st);
	if (!fault && SSL_CTX_use_certificate_chain_file(ctx, cert) != 1)
		fault = "holds no certificate in PEM";
	if (fault) {
		ERR_clear_error();
		probe_cannot_ask(r, "cert %.64s: %s", cert, fault);
		return false;
	}
	fault = file_fault(key, &st);
	if (!fault && (SSL_CTX_use_PrivateKey_file(ctx, key, SSL_FILETYPE_PEM) != 1 ||
		       SSL_CTX_check_private_key(ctx) != 1))
		fault = "holds no key in PEM that belongs to the certificate";
	ERR_clear_error();
	if (fault)
		probe_cannot_ask(r, "key %.64s: %s", key, fault);
	return !fault;
}

/* An encrypted key: there is nobody to ask. */
static int no_password(char *out, int size, int writing, void *arg)
{
	(void)out;
	(void)size;
	(void)writing;
	(void)arg;
	return -1;
}

/* ---- certificates in words ---------------------------------------------------------------------- */

static void date_text(const ASN1_TIME *at, char out[static 16])
{
	struct tm tm;

	if (ASN1_TIME_to_tm(at, &tm) != 1 || strftime(out, 16, "%Y-%m-%d", &tm) == 0)
		snprintf(out, 16, "?");
}

/* The first name that the certificate is for. */
static void subject_text(X509 *cert, char *out, size_t size)
{
	GENERAL_NAMES *names = X509_get_ext_d2i(cert, NID_subject_alt_name, NULL, NULL);

	out[0] = '\0';
	for (int i = 0; i < sk_GENERAL_NAME_num(names) && !out[0]; i++) {
		const GENERAL_NAME *name = sk_GENERAL_NAME_value(names, i);

		if (name->type == GEN_DNS)
			snprintf(out, size, "%.*s", ASN1_STRING_length(name->d.dNSName),
				 (const char *)ASN1_STRING_get0_data(name->d.dNSName));
	}
	GENERAL_NAMES_free(names);
	if (!out[0] && X509_NAME_get_text_by_NID(X509_get_subject_name(cert), NID_commonName, out,
						 (int)size) < 0)
		snprintf(out, size, "?");
}

static void issuer_text(X509 *cert, char *out, size_t size)
{
	if (X509_NAME_get_text_by_NID(X509_get_issuer_name(cert), NID_commonName, out, (int)size) <
	    0)
		snprintf(out, size, "?");
}

static void refuse(struct probe_tls_guard *g, X509_STORE_CTX *ctx)
{
	X509 *cert = X509_STORE_CTX_get_current_cert(ctx);
	char date[16] = "?", name[64] = "?";

	g->error = X509_STORE_CTX_get_error(ctx);
	switch (cert ? g->error : X509_V_ERR_UNSPECIFIED) {
	case X509_V_ERR_CERT_HAS_EXPIRED:
		date_text(X509_get0_notAfter(cert), date);
		snprintf(g->text, sizeof(g->text), "certificate expired on %s", date);
		break;
	case X509_V_ERR_CERT_NOT_YET_VALID:
		date_text(X509_get0_notBefore(cert), date);
		snprintf(g->text, sizeof(g->text), "certificate is not valid before %s", date);
		break;
	case X509_V_ERR_DEPTH_ZERO_SELF_SIGNED_CERT:
		snprintf(g->text, sizeof(g->text), "certificate is self-signed");
		break;
	case X509_V_ERR_SELF_SIGNED_CERT_IN_CHAIN:
	case X509_V_ERR_UNABLE_TO_GET_ISSUER_CERT_LOCALLY:
	case X509_V_ERR_UNABLE_TO_GET_ISSUER_CERT:
	case X509_V_ERR_UNABLE_TO_VERIFY_LEAF_SIGNATURE:
		issuer_text(cert, name, sizeof(name));
		snprintf(g->text, sizeof(g->text), "certificate's issuer \"%.50s\" is not trusted",
			 name);
		break;
	case X509_V_ERR_HOSTNAME_MISMATCH:
	case X509_V_ERR_IP_ADDRESS_MISMATCH:
		subject_text(cert, name, sizeof(name));
		snprintf(g->text, sizeof(g->text), "certificate is for %.40s, not for %.40s", name,
			 g->name);
		break;
	default:
		snprintf(g->text, sizeof(g->text), "certificate: %s",
			 X509_verify_cert_error_string(g->error));
		break;
	}
}

static int guard_index; /* of a SSL_CTX's data, in the whole process */

/* OpenSSL's verification, certificate by certificate. */
static int on_verify(int good, X509_STORE_CTX *ctx)
{
	SSL *ssl = X509_STORE_CTX_get_ex_data(ctx, SSL_get_ex_data_X509_STORE_CTX_idx());
	struct probe_tls_guard *g = SSL_CTX_get_ex_data(SSL_get_SSL_CTX(ssl), guard_index);
	X509 *cert = X509_STORE_CTX_get_current_cert(ctx);
	int days, seconds;

	if (X509_STORE_CTX_get_error_depth(ctx) == 0 && cert &&
	    ASN1_TIME_diff(&days, &seconds, NULL, X509_get0_notAfter(cert)) == 1)
		g->days_left = days;
	if (good || !g->question->verify)
		return 1;
	if (!g->error)
		refuse(g, ctx);
	return 0;
}

void probe_tls_warn(const struct probe_tls_guard *g, struct check_result *r)
{
	if (r->code != CHECK_OK || g->days_left >= g->question->expiry_warn_days)
		return;
	r->notes |= CHECK_NOTE_WARNING;
	if (g->days_left < 0)
		probe_result_add(r, g->question, "; the certificate has expired");
	else
		probe_result_add(r, g->question, "; the certificate expires in %d day%s",
				 g->days_left, g->days_left == 1 ? "" : "s");
}

struct check_result probe_tls_failure(const struct probe_tls_guard *g, const char *reason)
{
	struct check_result r = {.code = CHECK_BAD_REPLY, .layer = CHECK_LAYER_6};

	if (g->error) {
		r.code = CHECK_BAD_CERTIFICATE;
		r.detail = g->error;
		snprintf(r.text, sizeof(r.text), "%s", g->text);
	} else if (reason && reason[0]) {
		snprintf(r.text, sizeof(r.text), "TLS handshake failed: %.80s", reason);
	} else {
		r.code = CHECK_CLOSED;
		snprintf(r.text, sizeof(r.text), "connection closed in the TLS handshake");
	}
	return r;
}

/* ---- a handshake -------------------------------------------------------------------------------- */

void probe_tls_guard_init(struct probe_tls_guard *g, const struct probe_question *q)
{
	const char *sni = probe_question_text(q, CONF_TEXT_SNI);
	const char *host = probe_question_text(q, CONF_TEXT_HOST);
	struct addr addr;

	*g = (struct probe_tls_guard){.question = q, .days_left = INT_MAX};
	if (sni[0])
		snprintf(g->name, sizeof(g->name), "%s", sni);
	else if (host[0] == '[')
		snprintf(g->name, sizeof(g->name), "%.*s", (int)strcspn(host + 1, "]"), host + 1);
	else if (host[0])
		snprintf(g->name, sizeof(g->name), "%.*s", (int)strcspn(host, ":"), host);
	else
		addr_format(&q->addr, g->name);
	g->is_address = addr_parse(g->name, strlen(g->name), &addr) == 0;
}

bool probe_tls_prepare(struct probe_tls_files *files, SSL_CTX *ctx, struct probe_tls_guard *g,
		       struct check_result *r)
{
	const char *ca = probe_question_text(g->question, CONF_TEXT_CA);
	X509_VERIFY_PARAM *param = SSL_CTX_get0_param(ctx);
	X509_STORE *store = authorities_of(files, ca, r);

	if (!store)
		return false;
	SSL_CTX_set1_cert_store(ctx, store);
	SSL_CTX_set_ex_data(ctx, guard_index, g);
	SSL_CTX_set_verify(ctx, SSL_VERIFY_PEER, on_verify);
	SSL_CTX_set_default_passwd_cb(ctx, no_password);
	SSL_CTX_set_options(ctx, SSL_OP_NO_RENEGOTIATION);
	SSL_CTX_set_session_cache_mode(ctx, SSL_SESS_CACHE_OFF);
	if (!g->is_address)
		X509_VERIFY_PARAM_set1_host(param, g->name, 0);
	else
		X509_VERIFY_PARAM_set1_ip_asc(param, g->name);
	return show_certificate(ctx, g->question, r);
}

int probe_tls_open(struct probe_tls_files **out)
{
	struct probe_tls_files *files = calloc(1, sizeof(*files));

	if (!files)
		return -ENOMEM;
	guard_index = SSL_CTX_get_ex_new_index(0, NULL, NULL, NULL, NULL);
	*out = files;
	return 0;
}

void probe_tls_close(struct probe_tls_files *files)
{
	struct authorities *a;

	while (files && (a = files->first)) {
		files->first = a->next;
		X509_STORE_free(a->store);
		free(a->path);
		free(a);
	}
	free(files);
}
