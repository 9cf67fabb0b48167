/* SPDX-License-Identifier: BSD-2-Clause */
/* The words of the configuration file, for parsing and for printing. Each list is indexed by its
 * enum and ends with NULL. */
#ifndef SHUNT_CONF_WORDS_H
#define SHUNT_CONF_WORDS_H

extern const char *const conf_scheduler_words[]; /* enum shunt_scheduler */
extern const char *const conf_forward_words[]; /* enum shunt_forward */
extern const char *const conf_on_empty_words[]; /* enum conf_on_empty */
extern const char *const conf_gue_checksum_words[]; /* enum conf_gue_checksum */
extern const char *const conf_remove_words[]; /* enum conf_remove */
extern const char *const conf_affinity_words[], *const conf_udp_flows_words[];
extern const char *const conf_check_words[]; /* enum conf_check_kind */
extern const char *const conf_dns_record_words[]; /* enum conf_dns_record */
extern const char *const conf_dns_transport_words[]; /* enum conf_dns_transport */
extern const char *const conf_answer_words[]; /* enum conf_answer */
extern const char *const conf_via_words[]; /* enum conf_via */
extern const char *const conf_attach_words[]; /* enum conf_attach */
extern const char *const conf_log_words[]; /* enum conf_log */
extern const char *const conf_xdp_words[]; /* enum conf_xdp */

#endif
