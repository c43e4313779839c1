/** The fields of `pending`. */
import { IsInt, IsOptional, IsString, Max, Min } from 'class-validator';

export class PendingDto {
  @IsOptional()
  @IsInt()
  @Min(1)
  @Max(1000)
  limit?: number | null;

  @IsOptional()
  @IsString()
  cursor?: string | null;
}
