/* SPDX-License-Identifier: BSD-2-Clause */
#include "pure/cbpf.h"

#include <errno.h>
#include <linux/bpf_common.h>
#include <linux/filter.h>
#include <stdbool.h>
#include <string.h>

#define FARTHEST 0x7fff /* where in a frame may be looked: what the verifier is sure of */

/* A is r0, X is r5; r1 and r3 are for what is in between. */
enum {
	A = BPF_REG_0,
	T = BPF_REG_1,
	U = BPF_REG_3,
	X = BPF_REG_5,
	DATA = BPF_REG_7,
	END = BPF_REG_8
};

#define TO_MATCH (-1) /* targets that are no instruction of the filter */
#define TO_NO (-2)

struct out {
	struct bpf_insn *insn;
	int n;
	int target[CBPF_OUT_MAX]; /* [instruction]: where it jumps to, +1; 0: nowhere */
	int starts[CBPF_MAX + 1]; /* [instruction of the filter]: its first one */
	const char *wrong;
};

static void emit(struct out *o, uint8_t code, int dst, int src, int off, int32_t imm)
{
	o->insn[o->n++] = (struct bpf_insn){.code = code,
					    .dst_reg = (uint8_t)(dst & 15),
					    .src_reg = (uint8_t)(src & 15),
					    .off = (int16_t)off,
					    .imm = imm};
}

/* A jump whose target is known later. */
static void jump(struct out *o, uint8_t code, int dst, int src, int32_t imm, int target)
{
	o->target[o->n] = target == TO_MATCH ? -1 : target == TO_NO ? -2 : target + 1;
	emit(o, code, dst, src, 0, imm);
}

static void move(struct out *o, int dst, int src)
{
	emit(o, BPF_ALU64 | BPF_MOV | BPF_X, dst, src, 0, 0);
}

static void move_imm(struct out *o, int dst, uint32_t k)
{
	emit(o, BPF_ALU | BPF_MOV | BPF_K, dst, 0, 0, (int32_t)k);
}

/* ---- loads ------------------------------------------------------------------------------------*/

static int size_of(uint16_t code)
{
	return BPF_SIZE(code) == BPF_W ? 4 : BPF_SIZE(code) == BPF_H ? 2 : 1;
}

/* The bytes at T, of which it is not known that they are in the frame, into @dst. */
static void load_at(struct out *o, int dst, uint16_t code)
{
	move(o, U, T);
	emit(o, BPF_ALU64 | BPF_ADD | BPF_K, U, 0, 0, size_of(code));
	jump(o, BPF_JMP | BPF_JGT | BPF_X, U, END, 0, TO_NO);
	emit(o, BPF_LDX | BPF_MEM | BPF_SIZE(code), dst, T, 0, 0);
	if (size_of(code) > 1)
		emit(o, BPF_ALU | BPF_END | BPF_TO_BE, dst, 0, 0, size_of(code) * 8);
}

static void load_absolute(struct out *o, int dst, uint16_t code, uint32_t k)
{
	if (k > FARTHEST) {
		jump(o, BPF_JMP | BPF_JA, 0, 0, 0, TO_NO);
		return;
	}
	move(o, T, DATA);
	emit(o, BPF_ALU64 | BPF_ADD | BPF_K, T, 0, 0, (int32_t)k);
	load_at(o, dst, code);
}

static void load_indirect(struct out *o, uint16_t code, uint32_t k)
{
	emit(o, BPF_ALU | BPF_MOV | BPF_X, U, X, 0, 0);
	emit(o, BPF_ALU | BPF_ADD | BPF_K, U, 0, 0, (int32_t)k);
	jump(o, BPF_JMP | BPF_JGT | BPF_K, U, 0, FARTHEST, TO_NO);
	move(o, T, DATA);
	emit(o, BPF_ALU64 | BPF_ADD | BPF_X, T, U, 0, 0);
	load_at(o, A, code);
}

static void load_length(struct out *o, int dst)
{
	move(o, dst, END);
	emit(o, BPF_ALU64 | BPF_SUB | BPF_X, dst, DATA, 0, 0);
}

static bool word_fits(struct out *o, uint32_t k)
{
	if (k >= BPF_MEMWORDS)
		o->wrong = "it uses more memory than a filter has";
	return k < BPF_MEMWORDS;
}

static int stack(uint32_t k)
{
	return (int)(4 * k) - 4 * BPF_MEMWORDS;
}

static void load(struct out *o, const struct cbpf *i, int dst)
{
	switch (BPF_MODE(i->code)) {
	case BPF_IMM:
		move_imm(o, dst, i->k);
		break;
	case BPF_ABS:
		load_absolute(o, dst, i->code, i->k);
		break;
	case BPF_IND:
		load_indirect(o, i->code, i->k);
		break;
	case BPF_MEM:
		if (word_fits(o, i->k))
			emit(o, BPF_LDX | BPF_MEM | BPF_W, dst, BPF_REG_10, stack(i->k), 0);
		break;
	case BPF_LEN:
		load_length(o, dst);
		break;
	case BPF_MSH: /* the length of an IPv4 header */
		load_absolute(o, dst, BPF_B, i->k);
		emit(o, BPF_ALU | BPF_AND | BPF_K, dst, 0, 0, 15);
		emit(o, BPF_ALU | BPF_LSH | BPF_K, dst, 0, 0, 2);
		break;
	default:
		o->wrong = "it has a load that is not known";
	}
}

/* ---- the rest ---------------------------------------------------------------------------------*/

static void arithmetic(struct out *o, const struct cbpf *i)
{
	const uint8_t op = BPF_OP(i->code);
	const bool by_x = BPF_SRC(i->code) == BPF_X;

	if (op > BPF_XOR) {
		o->wrong = "it has an operation that is not known";
	} else if (op == BPF_NEG) {
		emit(o, BPF_ALU | BPF_NEG, A, 0, 0, 0);
	} else if (by_x) {
		if (op == BPF_DIV || op == BPF_MOD) /* such a filter takes nothing */
			jump(o, BPF_JMP | BPF_JEQ | BPF_K, X, 0, 0, TO_NO);
		if (op == BPF_LSH || op == BPF_RSH)
			emit(o, BPF_ALU | BPF_AND | BPF_K, X, 0, 0, 31);
		emit(o, BPF_ALU | op | BPF_X, A, X, 0, 0);
	} else if (((op == BPF_DIV || op == BPF_MOD) && !i->k) ||
		   ((op == BPF_LSH || op == BPF_RSH) && i->k > 31)) {
		o->wrong = "it divides by 0 or shifts by more than 31 bits";
	} else {
		emit(o, BPF_ALU | op | BPF_K, A, 0, 0, (int32_t)i->k);
	}
}

static void branch(struct out *o, const struct cbpf *i, int at, int n)
{
	const uint8_t op = BPF_OP(i->code);
	const bool by_x = BPF_SRC(i->code) == BPF_X;
	const int64_t always = (int64_t)at + 1 + i->k;

	if (op == BPF_JA && always < n)
		jump(o, BPF_JMP | BPF_JA, 0, 0, 0, (int)always);
	else if (op == BPF_JA || op > BPF_JSET || at + 1 + i->jt >= n || at + 1 + i->jf >= n)
		o->wrong = "it jumps where it must not";
	else {
		/* Of 32 bits: both sides are. */
		jump(o, BPF_JMP32 | op | (by_x ? BPF_X : BPF_K), A, by_x ? X : 0,
		     by_x ? 0 : (int32_t)i->k, at + 1 + i->jt);
		if (i->jf)
			jump(o, BPF_JMP | BPF_JA, 0, 0, 0, at + 1 + i->jf);
	}
}

static void answer(struct out *o, const struct cbpf *i)
{
	if (BPF_RVAL(i->code) == BPF_A) {
		jump(o, BPF_JMP32 | BPF_JEQ | BPF_K, A, 0, 0, TO_NO);
		jump(o, BPF_JMP | BPF_JA, 0, 0, 0, TO_MATCH);
	} else {
		jump(o, BPF_JMP | BPF_JA, 0, 0, 0, i->k ? TO_MATCH : TO_NO);
	}
}

static void translate(struct out *o, const struct cbpf *i, int at, int n)
{
	switch (BPF_CLASS(i->code)) {
	case BPF_LD:
		load(o, i, A);
		break;
	case BPF_LDX:
		if (BPF_MODE(i->code) == BPF_ABS || BPF_MODE(i->code) == BPF_IND)
			o->wrong = "it has a load that is not known";
		else
			load(o, i, X);
		break;
	case BPF_ST:
	case BPF_STX:
		if (word_fits(o, i->k))
			emit(o, BPF_STX | BPF_MEM | BPF_W, BPF_REG_10,
			     BPF_CLASS(i->code) == BPF_ST ? A : X, stack(i->k), 0);
		break;
	case BPF_ALU:
		arithmetic(o, i);
		break;
	case BPF_JMP:
		branch(o, i, at, n);
		break;
	case BPF_RET:
		answer(o, i);
		break;
	default: /* BPF_MISC */
		emit(o, BPF_ALU | BPF_MOV | BPF_X, BPF_MISCOP(i->code) == BPF_TAX ? X : A,
		     BPF_MISCOP(i->code) == BPF_TAX ? A : X, 0, 0);
	}
}

static int offset_of(const struct out *o, int i, int no)
{
	const int target = o->target[i];

	if (target == -1)
		return o->n - i - 1;
	if (target == -2)
		return o->n + no - i - 1;
	return o->starts[target - 1] - i - 1;
}

int cbpf_translate(const struct cbpf *in, size_t n, int no,
		   struct bpf_insn out[static CBPF_OUT_MAX], const char **wrong)
{
	static struct out o; /* 26 kB: one at a time */
	int i;

	o = (struct out){.insn = out};
	if (n == 0 || n > CBPF_MAX || BPF_CLASS(in[n - 1].code) != BPF_RET) {
		*wrong = n > CBPF_MAX ? "it has more than 500 instructions" : "it does not end";
		return -EINVAL;
	}
	for (i = 0; i < BPF_MEMWORDS / 2; i++)
		emit(&o, BPF_ST | BPF_MEM | BPF_DW, BPF_REG_10, 0, 8 * i - 4 * BPF_MEMWORDS, 0);
	move_imm(&o, A, 0);
	move_imm(&o, X, 0);
	for (i = 0; i < (int)n && !o.wrong; i++) {
		o.starts[i] = o.n;
		translate(&o, &in[i], i, (int)n);
	}
	*wrong = o.wrong;
	if (o.wrong)
		return -EINVAL;
	for (i = 0; i < o.n; i++)
		if (o.target[i])
			out[i].off = (int16_t)offset_of(&o, i, no);
	return o.n;
}
